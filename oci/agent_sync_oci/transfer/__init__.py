"""Move artifacts between registries: copy all that a manifest reaches, attach referrers and find them.

Any implementation of `Registry` serves, on either side; what arrives has the same bytes.
"""

from __future__ import annotations
