"""A candidate's examination: loaded, tried on golden samples, and shown the line's parts, in a process of its own.

`python -m appliance.examiner --config FILE --model NAME --folder DIR --digest sha256:... --link FD
[--frames-memory FD --frames-socket FD] [--patience-s 120]`, started by the delivery process for one candidate. Two
processes: one that waits (the standard library only), and one beneath it that runs the model, sealed
(`appliance.sandbox`) and after everybody else. Whatever becomes of the second is told by the first. It starts at once
with loading, goes on to accepting, and then waits for what it is told.

Messages out, over the link:

    progress {"stage": "loading" | "accepting" | "shadowing", "what": SENTENCE}
    loaded   {"seconds", "memory_bytes", "engine", "engine_reason", "digest", "sealed", "not_sealed"}
             (bytes of the whole process; the last two: lists of sentences, see `appliance.sandbox`)
    accepted {"report": {...}}          see `appliance.examiner.reports.Acceptance`
    shadow   {"report": {...}}          twice a second while it is on; `appliance.examiner.reports.Shadowed`
    failed   {"stage", "reason", "detail", "report": {...} | null}      the last one; see `appliance.examiner.failure`

Messages in: `shadow {"on": bool}` (on: counts from zero), `stop {}`.

Exit codes: 0 it was told to stop; 1 the candidate failed, and `failed` says how; 2 wrong arguments; 3 the delivery
process is gone. Any other, or a signal: the process that waits has ended itself; nothing is known of the candidate.
"""
