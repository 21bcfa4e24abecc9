"""What a run has used, added up batch by batch: the same as the ledger says, at the cost of the newest batches."""

from __future__ import annotations

from collections.abc import Callable

from db.ledger import Ledger
from db.records import RunRecord
from discovery.account import OPEN_BATCHES, Account

RUN = "r-1"


def test_it_says_what_the_ledger_says_and_reads_only_what_is_new(new_ledger: Callable[[str], Ledger]) -> None:
    ledger = new_ledger("ledger")
    ledger.create_run(RunRecord(RUN, "knapsack", {}, {}, 1, "1", {}, {}, True, {}))
    account, read = Account(ledger, RUN), []
    whole = ledger.spent_by_batch

    def counted(run: str, after: int = -2) -> tuple[object, ...]:
        found = whole(run, after)
        read.append(len(found))
        return found

    ledger.spent_by_batch = counted  # type: ignore[method-assign, assignment]
    for k in range(60):
        where = {"batch": k // 2, "operator": "improve", "proposer": "chat", "seed": 1}
        ledger.intent(RUN, k, 0, **where)  # type: ignore[arg-type]
        open_ = account.spent()
        if k % 5:
            ledger.reply(
                RUN, k, 0, state="replied", text="x", prompt_tokens=k, completion_tokens=1, cost=0.1 / (k + 1)
            )
        spent, fresh = account.spent(), Account(ledger, RUN).spent()
        assert spent == fresh == ledger.spent(RUN), "to the last bit, in an old sitting and in a new one"
        assert spent.requests == open_.requests == k + 1
    assert ledger.spent(RUN).uncounted == 0 and ledger.spent(RUN).samples == 60
    read.clear()
    account.spent()
    assert read == [OPEN_BATCHES]
