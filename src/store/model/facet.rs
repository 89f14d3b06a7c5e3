//! Facets: the properties by which executions are counted in `rollup_facet`.

/// A property of an execution. Type, platform, repository and slug are not among them: they are the population.
///
/// Each execution has exactly one `Generation`, so this facet also counts all executions with an app.
/// `Duration` and `ExitCode` repeat, without the application, rollups by application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Facet {
    /// Operating system of the guest, refined by its version.
    Os,
    /// Version of Proxmox VE.
    PveVersion,
    /// How the settings were chosen.
    Method,
    /// CPU architecture.
    Arch,
    /// CPU vendor.
    CpuVendor,
    /// GPU vendor, refined by its passthrough.
    Gpu,
    /// CPU cores, in classes.
    Cores,
    /// Memory, in classes.
    Ram,
    /// Disk size, in classes.
    Disk,
    /// Whether the container is privileged.
    Privilege,
    /// Generation of the client.
    Generation,
    /// What the container was made from, refined by unusual settings of it.
    Template,
    /// Where the scripts came from, refined by their revision.
    Runtime,
    /// Bucket of the duration.
    Duration,
    /// Exit code and generation, refined by the category.
    ExitCode,
}

impl Facet {
    /// The name in `rollup_facet` and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Os => "os",
            Self::PveVersion => "pve_version",
            Self::Method => "method",
            Self::Arch => "arch",
            Self::CpuVendor => "cpu_vendor",
            Self::Gpu => "gpu",
            Self::Cores => "cores",
            Self::Ram => "ram",
            Self::Disk => "disk",
            Self::Privilege => "privilege",
            Self::Generation => "generation",
            Self::Template => "template",
            Self::Runtime => "runtime",
            Self::Duration => "duration",
            Self::ExitCode => "exit_code",
        }
    }

    /// Whether only newer clients, certain types or certain ends report it. An execution without a value is not counted then.
    pub(crate) const fn is_optional(self) -> bool {
        matches!(self, Self::Privilege | Self::Template | Self::Runtime | Self::Duration | Self::ExitCode)
    }
}
