"""Stock: what there is to sell."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import Depends, Path, Query

from conveyor.commerce.orders.model import PRINTABLE, Word
from conveyor.entrypoints.http.bodies import body_is, body_of
from conveyor.entrypoints.http.context import (
    Acting,
    Operator,
    Reader,
    TheApi,
)
from conveyor.entrypoints.http.described import BODY, changing, looking
from conveyor.entrypoints.http.routing import ApiRouter
from conveyor.flows.shop.inventory import store
from conveyor.flows.shop.inventory.model import StockLevel
from conveyor.flows.shop.schemas import (
    StockBody,
    StockImport,
    StockImported,
    StockPage,
    StockView,
)
from conveyor.operations.noted_changes import changed

MAX_PAGE = 1_000
PAGE = 100

router = ApiRouter("/v1/stock", tags=["stock"], responses=looking())

Sku = Annotated[str, Path(min_length=1, max_length=200, pattern=PRINTABLE, examples=["CD"])]


@router.get("")
async def list_stock(
    api: TheApi,
    grant: Reader,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = PAGE,
    cursor: Word | None = None,
) -> StockPage:
    """List stock by SKU."""
    levels = await api.app.engine.database.read(
        lambda tx: store.list_stock(tx, grant.merchant, limit, cursor or "")
    )
    last = levels[-1].sku if len(levels) == limit else None
    return StockPage(stock=[_view(level) for level in levels], next=last)


@router.post(
    "/import",
    responses=changing(*BODY),
    openapi_extra=body_is(StockImport, {"stock": [{"sku": "CD", "available": 1000}]}),
)
async def import_stock(
    api: TheApi,
    grant: Operator,
    by: Acting,
    body: Annotated[StockImport, Depends(body_of(StockImport))],
) -> StockImported:
    """Set what is available of many SKUs, all or none."""
    rows = [(row.sku, row.available) for row in body.stock]
    count = await changed(
        api.app.engine,
        by,
        "stock.import",
        lambda tx: store.import_stock(tx, grant.merchant, rows),
        skus=len(rows),
    )
    return StockImported(skus=count)


# A SKU may well contain a slash.
@router.put(
    "/{sku:path}",
    responses=changing(*BODY),
    openapi_extra=body_is(StockBody, {"available": 1000}),
)
async def set_stock(
    sku: Sku,
    api: TheApi,
    grant: Operator,
    by: Acting,
    body: Annotated[StockBody, Depends(body_of(StockBody))],
) -> StockView:
    """Set what is available of a SKU; what is reserved or sold stays."""
    level = await changed(
        api.app.engine,
        by,
        "stock.set",
        lambda tx: store.set_stock(tx, grant.merchant, sku, body.available),
        subject=sku,
        available=body.available,
    )
    return _view(level)


def _view(level: StockLevel) -> StockView:
    facts = asdict(level)
    del facts["merchant"]
    return StockView(**facts)
