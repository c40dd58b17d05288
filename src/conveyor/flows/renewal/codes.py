"""The codes of problems with plans and subscriptions."""

from conveyor.entrypoints.http.codes import ProblemCode


class RenewalCode(ProblemCode):
    """What an answer of these operations may be, beside what any may."""

    PLAN_IN_USE = "plan_in_use", 409, "A plan keeps its months and its currency."
    ID_TAKEN = "id_taken", 409, "There is one with this id already."
    NOT_POSSIBLE = "not_possible", 409, "The subscription is over, or does not allow it."
