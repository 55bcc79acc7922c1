// What a rule asks of an alert: its words, and what it would have caught in the past 30 days.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type Schemas, api, dataOf } from "../../api/client";

export type Rule = Schemas["AutomationRuleOut"];
export type Conditions = Rule["conditions"];

export const SEVERITIES = ["High", "Medium", "Low", "Informational"];
/** Conditions that are typed: texts of an alert, with `*` for anything. */
export const TYPED = ["entities", "products", "tags"] as const;

export function useCaught(conditions: Conditions) {
  return useQuery({
    queryKey: ["backtest", conditions],
    queryFn: () => dataOf(api.POST("/api/v1/automation-rules/backtest", { body: conditions })),
    placeholderData: keepPreviousData,
  });
}

/** Analytics rules by their id and name. */
export function useAnalyticsRules(): { value: string; label: string }[] {
  const { data = [] } = useQuery({ queryKey: ["analytics-rules"], queryFn: () => dataOf(api.GET("/api/v1/analytics-rules")) });
  return data.map((each) => ({ value: each.rule_id, label: each.name }));
}

/** A rule's conditions in a line, its analytics rules by name. */
export function useWordsOf(conditions: Conditions): string {
  const known = useAnalyticsRules();
  const nameOf = (value: string) => known.find((each) => each.value === value)?.label ?? value;
  return Object.entries(conditions).filter(([, values]) => values.length > 0).map(([name, values]) => `${name.replaceAll("_", " ")}: ${values.map(nameOf).join(", ")}`).join("; ");
}

export function listOf(text: string): string[] {
  return text.split(",").map((each) => each.trim()).filter(Boolean);
}
