"""One look of a board at everything that is behind, as its threads take it, but one card after another."""

from datetime import datetime

from handlers.board.board import Board


def one_round(board: Board, now: datetime) -> None:
    for channel, rollout_ids in board.behind().items():
        for rollout_id in rollout_ids:
            board.bring(rollout_id, channel, now)
