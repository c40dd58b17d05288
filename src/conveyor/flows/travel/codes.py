"""The codes of problems with resources."""

from conveyor.entrypoints.http.codes import ProblemCode


class TravelCode(ProblemCode):
    """What an answer of these operations may be, beside what any may."""

    GIVEN_AWAY = "given_away", 409, "More is given away already than there would be."
