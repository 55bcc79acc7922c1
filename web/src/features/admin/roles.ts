// What somebody may do, from the least to the most.
export const ROLES = ["reader", "responder", "admin"] as const;
