//! The names of an execution: texts that its client filled in and that lists and counts show. The public sees a name
//! only if several sessions have it, because a rare one could identify its owner.

use crate::ingest::execution::Execution;
use crate::store::model::facet::Facet;
use crate::store::model::rollup::{PopulationKey, facets, minor_version, or_empty};

/// What the public sees instead of a name that few sessions have.
pub const RARE: &str = "(rare)";
/// The id of a signature that stands for all rare ones.
pub const RARE_SIGNATURE: i64 = 0;

/// A row of `known_name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// `app`, `slug`, `platform`, `signature`, `pve` (a version of Proxmox VE up to the second point), or a facet.
    pub kind: String,
    /// The name; of a signature the id.
    pub name: String,
    /// The detail of the facet; empty for the value alone.
    pub detail: String,
}

impl Name {
    /// A name without a detail.
    #[must_use]
    pub fn new(kind: &str, name: &str) -> Self {
        Self::with_detail(kind, name, "")
    }

    /// The value of a facet with its detail.
    #[must_use]
    pub fn with_detail(kind: &str, name: &str, detail: &str) -> Self {
        Self { kind: kind.to_owned(), name: name.to_owned(), detail: detail.to_owned() }
    }

    /// A signature.
    #[must_use]
    pub fn signature(id: i64) -> Self {
        Self::new("signature", &id.to_string())
    }
}

/// All names of an execution. The view `counted_name` has the same names of all executions with an application.
#[must_use]
pub fn names(execution: &Execution) -> Vec<Name> {
    let PopulationKey { slug, platform, .. } = PopulationKey::of(execution);
    let facts = &execution.facts;
    let single = [
        ("app", or_empty(facts.app.get())),
        ("slug", slug),
        ("platform", platform),
        ("pve", minor_version(or_empty(facts.pve_version.get()))),
    ];
    let mut names: Vec<_> = single.iter().map(|(kind, name)| Name::new(kind, name)).collect();
    names.extend(execution.signature.map(Name::signature));
    for (facet, value, detail) in facets(execution).into_iter().filter(|(facet, ..)| facet.is_named()) {
        names.push(Name::new(facet.as_str(), value));
        if !detail.is_empty() {
            names.push(Name::with_detail(facet.as_str(), value, detail));
        }
    }
    names.retain(|name| !name.name.is_empty() || !name.detail.is_empty());
    names
}

impl Facet {
    /// Whether its values are names; those of the others come from closed sets.
    #[must_use]
    pub const fn is_named(self) -> bool {
        match self {
            Self::Os
            | Self::PveVersion
            | Self::Method
            | Self::Arch
            | Self::CpuVendor
            | Self::Gpu
            | Self::Runtime => true,
            Self::Cores
            | Self::Ram
            | Self::Disk
            | Self::Privilege
            | Self::Generation
            | Self::Template
            | Self::Duration
            | Self::ExitCode => false,
        }
    }
}
