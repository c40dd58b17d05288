"""Where the flow's services declare their tables: see its migrations."""

import sqlalchemy as sa

metadata = sa.MetaData()
