"""The comparison: the same answer in FastAPI, as most people would write it: httpx to the provider, json for each chunk, StreamingResponse.

No database, no history: it does less than the worker. Started by bench.js in a throwaway venv; the provider's address is in LLM_BASE_URL.
"""
import json
import os

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

app = FastAPI()
client = httpx.AsyncClient(limits=httpx.Limits(max_connections=2000, max_keepalive_connections=2000), timeout=60, trust_env=False)
url = os.environ["LLM_BASE_URL"] + "/chat/completions"


@app.get("/health")
async def health():
    return {"status": "healthy"}


@app.post("/chat")
async def chat(request: Request):
    body = await request.json()
    ask = {"model": body["model"], "stream": True, "messages": [{"role": "user", "content": body["message"]}]}

    async def events():
        async with client.stream("POST", url, json=ask) as answer:
            async for line in answer.aiter_lines():
                if not line.startswith("data: "):
                    continue
                if line == "data: [DONE]":
                    yield "data: [DONE]\n\n"
                    return
                chunk = json.loads(line[6:])
                for choice in chunk["choices"]:
                    out = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": choice["delta"], "finish_reason": choice["finish_reason"]}]}
                    yield "data: " + json.dumps(out, separators=(",", ":")) + "\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")
