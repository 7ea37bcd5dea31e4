"""aiomqtt, as its documentation shows it: as many tasks as there may be messages under way, everything in memory."""

import asyncio

import aiomqtt
from common import Run, messages


async def main():
    run = Run()
    backlog = list(messages(run.count))
    waiting = iter(backlog)
    async with aiomqtt.Client(
        "127.0.0.1", run.port, identifier="aio", protocol=aiomqtt.ProtocolVersion.V5, max_inflight_messages=run.window
    ) as client:

        async def send():
            for payload in waiting:
                await client.publish(run.topic, payload, qos=1, timeout=120)

        client.pending_calls_threshold = run.window + 1
        run.go()
        await asyncio.gather(*(send() for _ in range(run.window)))
        run.done(len(backlog))


asyncio.run(main())
