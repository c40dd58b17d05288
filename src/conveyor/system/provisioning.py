"""The queues of a deployment, as its settings and what is installed ask for them."""

from __future__ import annotations

from conveyor.adapters.sqs import SqsQueues
from conveyor.adapters.sqs.provisioning import MADE, Provisioned, Provisioner
from conveyor.adapters.steady_clock import MachineClock
from conveyor.settings import EMBEDDED, Settings
from conveyor.system.backends import open_queues
from conveyor.system.installation import installation
from conveyor.system.opening import ambient_of


async def provision_queues(
    settings: Settings, kms_key: str = "", *, dry_run: bool = False
) -> list[Provisioned]:
    """Make the queues, and put right what differs; gives what became of each.

    Raises what opening and calling the queue service raise.
    """
    if dry_run and settings.queue_url.startswith(EMBEDDED):
        return []  # to look would be to make their file
    specs = installation(settings).queues
    queues = open_queues(settings, specs, ambient_of(MachineClock()))
    await queues.open()
    try:
        if isinstance(queues, SqsQueues):
            provisioner = Provisioner(queues, kms_key=kms_key, dry_run=dry_run)
            return await queues.provision_with(provisioner, specs)
        return [Provisioned(name, name, MADE) for name in await queues.provision(specs)]
    finally:
        await queues.close()
