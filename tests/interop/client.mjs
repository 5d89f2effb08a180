// A program with LangSmith's SDK alone: it calls NEXT and hands its run on in the headers.
import { Client } from "langsmith";
import { getCurrentRunTree, traceable } from "langsmith/traceable";

const client = new Client();
const { project_name, tags, metadata } = JSON.parse(process.env.SAID);

const call = traceable(
  async () => {
    const headers = getCurrentRunTree().toHeaders();
    return (await fetch(process.env.NEXT, { headers })).text();
  },
  { name: "client", project_name, tags, metadata, client },
);

const answer = await call();
await client.awaitPendingTraceBatches();
if (answer !== "ok") throw new Error(answer);
