//! Values of all kinds beside single reads and writes: as lines of JSON, and many at once.
//!
//! | file | what lives there |
//! |---|---|
//! | `kept` | what is at a key, apart from who wrote it and when |
//! | `line` | that as a line of JSON: `export`, `import`, batches, savepoints |
//! | `write` | bringing keys to what is wanted, many at once |
//! | `walk` | a way through all keys of a namespace |
//! | `savepoint` | what was there, in files |
//! | `compare` | what changed since a savepoint, and going back to it |

pub(crate) mod compare;
pub(crate) mod kept;
pub(crate) mod line;
pub(crate) mod savepoint;
pub(crate) mod walk;
pub(crate) mod write;
