"""The codes of problems with restaurants and riders."""

from conveyor.entrypoints.http.codes import ProblemCode
from conveyor.flows.food.restaurants import steps as restaurants
from conveyor.flows.food.riders import steps as riders


class FoodCode(ProblemCode):
    """What an answer of these operations may be, beside what any may."""

    KITCHEN_FULL = restaurants.KITCHEN_FULL, 409, "The restaurant prepares as much as it can."
    CARRIES_MORE = "carries_more", 409, "The rider carries more than that now."
    NOT_OFFERED = riders.NOT_OFFERED, 409, "The order is not offered to this rider, or no longer."
    NOT_NOW = riders.NOT_NOW, 409, "That does not follow from how things stand with this offer."
