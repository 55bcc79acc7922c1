// What an action is, by its type and connector.
import {
  BracesVariable20Regular, BranchFork16Regular, Chat16Regular, ClipboardTextLtr16Regular, Clock16Regular, Code16Regular, Flash16Regular, Globe16Regular,
  Mail16Regular, PlugDisconnected16Regular, ShieldTask16Regular, ArrowRepeatAll16Regular,
} from "@fluentui/react-icons";
import type { ReactNode } from "react";
import type { Action } from "./actions";

export function iconOf(action: Action | undefined): ReactNode {
  if (!action) return <Flash16Regular />;
  const what = `${action.operation ?? ""} ${action.name}`.toLowerCase();
  if (action.type === "If" || action.type === "Switch") return <BranchFork16Regular />;
  if (action.type === "Foreach" || action.type === "Until" || action.type === "Scope") return <ArrowRepeatAll16Regular />;
  if (action.type === "Wait") return <Clock16Regular />;
  if (what.includes("azureautomation") || what.includes("job")) return <Code16Regular />;
  if (what.includes("verify")) return <ShieldTask16Regular />;
  if (what.includes("isolate") || what.includes("release")) return <PlugDisconnected16Regular />;
  if (what.includes("mail") || what.includes("send") || what.includes("page the") || what.includes("page_the")) return <Mail16Regular />;
  if (action.type === "Http") return what.includes("tell") || what.includes("chat") ? <Chat16Regular /> : what.includes("comment") || what.includes("note") ? <ClipboardTextLtr16Regular /> : <Globe16Regular />;
  return <BracesVariable20Regular />;
}
