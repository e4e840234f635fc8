"""A strict stand-in for Slack: it refuses what Slack refuses, fails when told to, and keeps a journal of it all.

It is for faults that no real Slack and no local-slack can be told to make. Bots reach it at ``api_url``; what people
do reaches bots as signed requests to ``/slack/events`` (``send``).
"""

from sandbox.strict_slack.delivery import Attempt, Delivery
from sandbox.strict_slack.faults import ANY, Fault
from sandbox.strict_slack.server import strict_slack
from sandbox.strict_slack.slack import StrictSlack
from sandbox.strict_slack.workspace import Happened, RefusedError

__all__ = ["ANY", "Attempt", "Delivery", "Fault", "Happened", "RefusedError", "StrictSlack", "strict_slack"]
