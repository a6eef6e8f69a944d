//! The revisions of MCP that this server speaks.

/// A revision of MCP, as a client speaks it.
///
/// The three older ones open with `initialize`; in the newest every request says by itself what its client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Era {
    /// 2025-03-26: batches, text only.
    V2025_03_26,
    /// 2025-06-18: structured content, resource links, titles.
    V2025_06_18,
    /// 2025-11-25: icons.
    V2025_11_25,
    /// 2026-07-28: no handshake and no sessions.
    V2026_07_28,
}

impl Era {
    /// Every revision, the oldest first.
    pub const ALL: [Self; 4] = [Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25, Self::V2026_07_28];

    /// Those that are negotiated by `initialize`.
    pub(crate) const LEGACY: [Self; 3] = [Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25];

    /// What a client without a version in common is offered.
    pub(crate) const NEWEST_LEGACY: Self = Self::V2025_11_25;

    /// The revision's name on the wire.
    #[must_use]
    pub const fn version(self) -> &'static str {
        match self {
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// Does it open with `initialize`?
    #[must_use]
    pub const fn is_legacy(self) -> bool {
        !matches!(self, Self::V2026_07_28)
    }

    pub(crate) fn of(version: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|era| era.version() == version)
    }

    pub(crate) fn legacy(version: &str) -> Option<Self> {
        Self::of(version).filter(|era| era.is_legacy())
    }
}
