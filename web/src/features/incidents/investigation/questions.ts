// Questions about a thing, each as a query the log search runs; only of tables the workspace has.
import type { Node } from "./facts";

export interface Question { key: string; query: string }

/** A text as the query language writes it. */
const literal = (value: unknown) => JSON.stringify(String(value));

/** What is asked of a thing, from an hour before the incident began. */
export function questionsAbout(node: Node, since: string): Question[] {
  const from = after(new Date(new Date(since).getTime() - 3_600_000).toISOString());
  const name = literal(node.label);
  switch (node.kind) {
    case "machine": return ofMachine(name, from, after(since));
    case "address": return ofAddress(name, from);
    case "account": return ofAccount(literal(node.details.Name ?? node.label), from);
    case "process": return ofProcess(node, from);
    case "file": return [{ key: "changes", query: lines("ConfigurationChange", `where ${from}`, `where FileSystemPath has ${name}`, "project TimeGenerated, Computer, ChangeCategory, FileSystemPath, FieldsChanged, Previous, Current", NEWEST) }];
    case "alert": return [{ key: "before", query: lines("SecurityAlert", `where AlertName == ${name}`, "project TimeGenerated, AlertName, AlertSeverity, CompromisedEntity, Status, Description", NEWEST) }];
    default: return [];
  }
}

const NEWEST = "order by TimeGenerated desc";
const after = (moment: string) => `TimeGenerated >= datetime(${moment})`;
const lines = (...parts: string[]) => parts.join("\n| ");

function ofMachine(name: string, from: string, sinceThen: string): Question[] {
  const here = `where ${from} and Computer =~ ${name}`;
  return [
    { key: "signIns", query: signIns(here, "Accepted", "4624") },
    { key: "failed", query: signIns(here, "Failed", "4625") },
    { key: "talkedTo", query: flows(`where ${from} and (SrcVm =~ ${name} or DestVm =~ ${name})`) },
    { key: "changed", query: lines("ConfigurationChange", `where ${sinceThen} and Computer =~ ${name}`, "project TimeGenerated, ConfigChangeType, ChangeCategory, SoftwareName, SvcName, FileSystemPath, RegistryKey, Previous, Current", NEWEST) },
    { key: "alerts", query: named(name) },
  ];
}

function ofAddress(address: string, from: string): Question[] {
  return [
    { key: "signedIn", query: signIns(`where ${from}`, "Accepted", "4624", `where From == ${address}`) },
    { key: "guessed", query: signIns(`where ${from}`, "Failed", "4625", `where From == ${address}`) },
    { key: "flows", query: flows(`where ${from} and (SrcIp == ${address} or DestIp == ${address})`) },
    { key: "alerts", query: named(address) },
  ];
}

function ofAccount(account: string, from: string): Question[] {
  return [
    { key: "signedIn", query: signIns(`where ${from}`, "Accepted", "4624", `where User =~ ${account}`) },
    { key: "guessed", query: signIns(`where ${from}`, "Failed", "4625", `where User =~ ${account}`) },
    { key: "alerts", query: named(account) },
  ];
}

function ofProcess(node: Node, from: string): Question[] {
  const program = literal(node.label.split(" ")[0]?.split(/[\\/]/).at(-1) ?? node.label);
  const log = `(Syslog\n    | where ${from} and (ProcessName =~ ${program} or SyslogMessage has ${program})\n    | project TimeGenerated, Computer, Program = ProcessName, Text = SyslogMessage)`;
  const started = `(SecurityEvent\n    | where ${from} and EventID == 4688 and NewProcessName has ${program}\n    | project TimeGenerated, Computer, Program = NewProcessName, Text = CommandLine)`;
  return [{ key: "elsewhere", query: lines(`union\n  ${log},\n  ${started}`, NEWEST) }];
}

/** Sign-ins of Linux and Windows machines in the same columns. */
function signIns(where: string, word: string, event: string, ...more: string[]): string {
  const linux = `(Syslog\n    | ${where}\n    | where ProcessName startswith "sshd" and SyslogMessage startswith "${word} "\n    | extend User = extract(@"for (?:invalid user )?(\\S+) from", 1, SyslogMessage), From = extract(@"from (\\S+) port", 1, SyslogMessage)\n    | project TimeGenerated, Computer, User, From, Text = SyslogMessage)`;
  const windows = `(SecurityEvent\n    | ${where}\n    | where EventID == ${event}\n    | project TimeGenerated, Computer, User = TargetUserName, From = IpAddress, Text = Activity)`;
  return lines(`union\n  ${linux},\n  ${windows}`, ...more, NEWEST);
}

function flows(where: string): string {
  return lines("NTANetAnalytics", where, "project TimeGenerated, SrcVm, SrcIp, DestVm, DestIp, DestPort, FlowStatus, BytesSrcToDest, BytesDestToSrc", NEWEST);
}

function named(text: string): string {
  return lines("SecurityAlert", `where Entities has ${text}`, "project TimeGenerated, AlertName, AlertSeverity, CompromisedEntity, Status, Description", NEWEST);
}
