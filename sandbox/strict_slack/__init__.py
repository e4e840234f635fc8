"""A strict stand-in for Slack: it refuses what Slack refuses, fails on command, and keeps a journal.

It makes faults that neither the real Slack nor local-slack can make on command. Bots reach it at ``api_url``. ``send``
brings them what people do, as signed requests to ``/slack/events``.
"""

from sandbox.strict_slack.delivery import Attempt, Delivery
from sandbox.strict_slack.faults import ANY, Fault
from sandbox.strict_slack.server import strict_slack
from sandbox.strict_slack.slack import StrictSlack
from sandbox.strict_slack.workspace import Happened, RefusedError

__all__ = ["ANY", "Attempt", "Delivery", "Fault", "Happened", "RefusedError", "StrictSlack", "strict_slack"]
