"""What every recipe is made of."""

from __future__ import annotations
