// A service with LangSmith's SDK alone: it hangs its runs under the caller's, and may call NEXT.
import http from "node:http";
import { Client } from "langsmith";
import { RunTree } from "langsmith/run_trees";
import { getCurrentRunTree, traceable, withRunTree } from "langsmith/traceable";

const client = new Client();
const inner = traceable(async () => 1, { name: "inner", run_type: "tool", client });

const work = traceable(
  async () => {
    await inner();
    if (!process.env.NEXT) return "ok";
    const headers = getCurrentRunTree().toHeaders();
    return (await fetch(process.env.NEXT, { headers })).text();
  },
  { name: "theirs", client },
);

http
  .createServer(async (request, response) => {
    const parent = RunTree.fromHeaders(request.headers, { client });
    const answer = await withRunTree(parent, () => work());
    await client.awaitPendingTraceBatches();
    response.end(answer);
  })
  .listen(Number(process.env.PORT), "127.0.0.1");
