// An act on the server: what is pressed twice is done once.
import { type UseMutationOptions, type UseMutationResult, useMutation } from "@tanstack/react-query";
import { useEffect, useRef } from "react";

/** A mutation that takes no second order while the first is under way: two presses of one moment come before `isPending` is drawn. */
export function useAct<Data, Order = void>(options: UseMutationOptions<Data, Error, Order>): UseMutationResult<Data, Error, Order> {
  const act = useMutation(options);
  const isUnderWay = useRef(false);
  useEffect(() => {
    if (!act.isPending) isUnderWay.current = false;
  }, [act.isPending, act.submittedAt]);
  const mutate: typeof act.mutate = (...order) => {
    if (isUnderWay.current) return;
    isUnderWay.current = true;
    act.mutate(...order);
  };
  return { ...act, mutate };
}
