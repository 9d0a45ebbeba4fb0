//! Enumerations whose variants are literals of a schema.

macro_rules! literals {
    ($(#[$doc:meta])* $name:ident { $($(#[$item:meta])* $variant:ident = $literal:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$item])* $variant,)*
        }

        impl $name {
            /// Every literal.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// As the schema spells it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $literal,)*
                }
            }

            /// From the schema's spelling.
            #[must_use]
            pub fn from_literal(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|literal| literal.as_str() == text)
            }
        }
    };
}
pub(crate) use literals;
