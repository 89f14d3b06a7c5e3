//! The two views of the stored executions.

/// What a reader may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Without credentials: no texts of single executions, and rare names as `(rare)`.
    Public,
    /// With a token: everything.
    Maintainer,
}
