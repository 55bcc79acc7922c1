// Runs the code of a JavaScriptCode action: `workflowContext` is what it gets, what it returns (or resolves to) goes to result.json.
"use strict";
const fs = require("fs");
const context = JSON.parse(fs.readFileSync("context.json", "utf8"));
const code = fs.readFileSync(process.argv[2], "utf8");
const fail = (error) => {
  process.stderr.write(String((error && error.message) || error) + "\n");
  process.exit(1);
};
process.on("uncaughtException", fail);
process.on("unhandledRejection", fail);
Promise.resolve()
  .then(() => new Function("workflowContext", code)(context))
  .then((made) => fs.writeFileSync("result.json", JSON.stringify(made === undefined ? null : made)))
  .catch(fail);
