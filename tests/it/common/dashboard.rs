//! The dashboards as Grafana reads them, and their queries as it sends them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// A dashboard with the name of its file.
pub(crate) struct Dashboard {
    pub(crate) file: String,
    pub(crate) json: Value,
}

/// All dashboards, by name.
pub(crate) fn dashboards() -> Vec<Dashboard> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the folder is there")
        .map(|file| file.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    files
        .iter()
        .map(|path| Dashboard {
            file: path.file_name().expect("a file").to_string_lossy().into_owned(),
            json: serde_json::from_slice(&fs::read(path).expect("readable")).expect("it is JSON"),
        })
        .collect()
}

impl Dashboard {
    /// Panels that show something.
    pub(crate) fn panels(&self) -> impl Iterator<Item = &Value> {
        list(&self.json["panels"]).iter().filter(|panel| panel["type"] != "row")
    }

    /// Its variables.
    pub(crate) fn variables(&self) -> &[Value] {
        list(&self.json["templating"]["list"])
    }
}

/// A list, empty if there is none.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// What Grafana puts in the place of variables and macros.
pub(crate) struct Expansion {
    /// Values of the variables.
    pub(crate) variables: BTreeMap<String, Vec<String>>,
    /// The time range, RFC 3339.
    pub(crate) from: String,
    pub(crate) to: String,
}

impl Expansion {
    /// A query of PostgreSQL as Grafana's data source sends it.
    pub(crate) fn sql(&self, query: &str) -> String {
        let mut query = query.to_owned();
        for (name, values) in &self.variables {
            let quoted: Vec<_> =
                values.iter().map(|value| format!("'{}'", value.replace('\'', "''"))).collect();
            query = query.replace(&format!("${{{name}:sqlstring}}"), &quoted.join(","));
        }
        while let Some((before, rest)) = query.split_once("$__timeFilter(") {
            let (column, after) = rest.split_once(')').expect("it is closed");
            query = format!("{before}{column} BETWEEN '{}' AND '{}'{after}", self.from, self.to);
        }
        let query = query.replace("$__timeFrom()", &format!("'{}'", self.from));
        let query = query.replace("$__timeTo()", &format!("'{}'", self.to));
        assert!(!query.contains('$'), "something is not expanded: {query}");
        query
    }

    /// A query of Prometheus.
    pub(crate) fn promql(&self, query: &str) -> String {
        let mut query = query.replace("$__rate_interval", "15s").replace("$__interval", "5s");
        for (name, values) in &self.variables {
            query = query.replace(&format!("${name}"), &format!("({})", values.join("|")));
        }
        assert!(!query.contains('$'), "something is not expanded: {query}");
        query
    }
}
