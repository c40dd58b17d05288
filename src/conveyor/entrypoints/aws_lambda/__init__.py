"""Conveyor as Lambda functions: no process of ours waits, AWS calls when there is something to do.

Three functions, each `handle` of a module of its own, so that each imports what it needs and no
more:

- `queue`: the event source of any queue of ours, those of services and `intake`;
- `api`: the HTTP API, behind a function URL or an API Gateway;
- `tick`: on a schedule, what goes by the clock: timers, lost tokens, renewals.

They run the code that the workers run; which of the two takes a message makes no difference, so
services may move from one to the other while orders are under way.

What they import makes over a hundred thousand objects, all of which stay. The collector would look
through them again and again, for a fifth of a cold start's time: it begins once a system is open
(`Instance`), and passes by what was there by then.

Nor is every model of an answer needed, ours and those of FastAPI: each is built when it is first
used.
"""

import gc

from pydantic import BaseModel

from conveyor.adapters.sqs.environment import in_a_function

if in_a_function():
    gc.disable()
    BaseModel.model_config["defer_build"] = True
