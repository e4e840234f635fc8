"""One look of a board at everything that is behind, as its threads take it, but one card after another."""

from datetime import datetime

from handlers.board.board import Board


def one_round(board: Board, now: datetime) -> None:
    for channel, marks in board.behind().items():
        for rollout_id, mark in marks.items():
            if board.waits_until(rollout_id, mark, channel, now) is None:
                board.bring(rollout_id, mark, channel, now)
