//! What a cell can hold: values that merge in any order to the same result.
//!
//! | file | what lives there |
//! |---|---|
//! | `register` | last writer wins by stamp; concurrent losers are kept as conflicts |
//!
//! Not here: where values are kept (`cells`), how they travel (`batch`, `replica`).

pub mod register;
