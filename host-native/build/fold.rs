//! Finds functions of a wasm module that are the same to the byte.
//!
//! Generic code is compiled once per type, and often the types differ in nothing that matters. The
//! compiler merges some of that before it makes wasm of it; here the rest is found. Functions that differ
//! only in which of two equal functions they call are equal too, and that goes round in circles: all
//! count as equal at first, and are told apart until nothing more tells them apart.

use std::{collections::BTreeMap, convert::Infallible};
use wasm_encoder::{
    CodeSection,
    reencode::{Error, Reencode},
};
use wasmparser::FunctionBody;

/// For each function the first that is the same; `types` and `bodies` are those of the module's own
/// functions, which come after `imports` imported ones.
pub(crate) fn firsts(
    imports: u32,
    types: &[u32],
    bodies: &[FunctionBody<'_>],
) -> Result<Vec<usize>, Error<Infallible>> {
    let mut fold = Fold {
        imports,
        firsts: vec![0; bodies.len()],
    };
    loop {
        let mut seen = BTreeMap::new();
        let mut firsts = Vec::with_capacity(bodies.len());
        for ((place, ty), body) in types.iter().enumerate().zip(bodies) {
            let mut code = CodeSection::new();
            fold.parse_function_body(&mut code, body.clone())?;
            let mut bytes = Vec::new();
            wasm_encoder::Encode::encode(&code, &mut bytes);
            firsts.push(*seen.entry((*ty, bytes)).or_insert(place));
        }
        if firsts == fold.firsts {
            return Ok(firsts);
        }
        fold.firsts = firsts;
    }
}

/// Writes functions with each callee replaced by the first that is the same.
struct Fold {
    imports: u32,
    firsts: Vec<usize>,
}

impl Reencode for Fold {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, Error<Infallible>> {
        let own = function.checked_sub(self.imports);
        let first = own.and_then(|own| self.firsts.get(usize::try_from(own).ok()?));
        let first = first.and_then(|first| u32::try_from(*first).ok());
        Ok(first.map_or(function, |first| self.imports + first))
    }
}
