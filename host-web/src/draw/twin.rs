//! The rows of the table that says what a picture says, for the keyboard and for screen readers.

/// One row of a picture's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What the row is about; its heading.
    pub name: String,
    /// Its values in the order of the columns. Each row of a table has the same labels.
    pub values: Vec<Value>,
}

/// A value with the heading of its column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The column's heading.
    pub label: &'static str,
    /// The value with its unit; `unknown` where nothing was measured.
    pub text: String,
}

/// What stands where nothing was measured.
pub const UNKNOWN: &str = "unknown";

/// What stands where a row has nothing to say in a column.
pub const NOTHING: &str = "–";

impl Row {
    /// A row with values in the order of the columns.
    pub fn new<const N: usize>(
        name: impl Into<String>,
        values: [(&'static str, String); N],
    ) -> Self {
        let values = values
            .into_iter()
            .map(|(label, text)| Value { label, text });
        Self {
            name: name.into(),
            values: values.collect(),
        }
    }
}

/// A value as text, or that it is unknown.
#[must_use]
pub fn known(text: Option<String>) -> String {
    text.unwrap_or_else(|| UNKNOWN.into())
}
