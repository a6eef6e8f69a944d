//! What a function becomes: a tool, a resource or a prompt. All three are read, checked and expanded by the same code.

/// Which of the three attributes stands above the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tool,
    Resource,
    Prompt,
}

impl Kind {
    /// The attribute's name, and the name of the function that hands the item out.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Resource => "resource",
            Self::Prompt => "prompt",
        }
    }

    /// For messages.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Tool => "a tool",
            Self::Resource => "a resource",
            Self::Prompt => "a prompt",
        }
    }

    /// Do its arguments come as texts, not as JSON?
    pub(crate) fn takes_texts(self) -> bool {
        self != Self::Tool
    }

    /// Is a schema made of its arguments?
    pub(crate) fn describes_arguments(self) -> bool {
        self != Self::Resource
    }
}
