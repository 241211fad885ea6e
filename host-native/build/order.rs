//! Puts functions of a wasm module beside those that look like them.
//!
//! gzip finds repetitions only 32 KiB back, and a module has hundreds of functions that differ in a few
//! bytes, because generic code is compiled once per type. Beside each other they cost a tenth less in
//! all. The order is found greedily: next comes the function that shares most with the last few.
//!
//! Source: sketches as in Broder, "On the resemblance and containment of documents", 1997.

#![expect(
    clippy::indexing_slicing,
    reason = "indices are functions of the one module; a build that goes wrong stops"
)]

use crate::fold;
use std::{collections::BTreeMap, convert::Infallible, error};
use wasm_encoder::{
    CodeSection, FunctionSection, Module,
    reencode::{Error, Reencode},
};
use wasmparser::{
    CodeSectionReader, CustomSectionReader, FunctionBody, FunctionSectionReader, Parser, Payload,
    TypeRef,
};

/// The length of the byte strings that functions are compared by.
const GRAM: usize = 6;
/// How many of them stand for a function: those with the smallest hashes.
const SKETCH: usize = 128;
/// What more functions than this share tells nothing.
const COMMON: usize = 400;
/// How many of the last functions the next is compared with, and how fast they fade.
const RECENT: u8 = 6;
const FADE: f32 = 0.35;
/// Weighs against short functions, which resemble everything.
const SHORT: f32 = 8.0;
/// Below this resemblance a new group begins.
const ALIKE: f32 = 0.06;

/// The same module with its functions in an order that compresses well, each of them once, and without
/// their names.
pub(crate) fn by_likeness(module: &[u8]) -> Result<Vec<u8>, Box<dyn error::Error>> {
    let mut imports = 0_u32;
    let mut types: Vec<u32> = Vec::new();
    let mut bodies: Vec<FunctionBody<'_>> = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        if let Payload::FunctionSection(section) = &payload {
            types = section.clone().into_iter().collect::<Result<_, _>>()?;
        }
        if let Payload::CodeSectionEntry(body) = &payload {
            bodies.push(body.clone());
        }
        if let Payload::ImportSection(section) = payload {
            for import in section.into_imports() {
                imports += u32::from(matches!(import?.ty, TypeRef::Func(_)));
            }
        }
    }
    let firsts = fold::firsts(imports, &types, &bodies)?;
    let kept: Vec<usize> = (0..bodies.len())
        .filter(|function| firsts[*function] == *function)
        .collect();
    let sketches = kept
        .iter()
        .map(|function| sketch(bodies[*function].as_bytes()));
    let order = chain(&sketches.collect::<Vec<_>>());
    let order: Vec<usize> = order.into_iter().map(|place| kept[place]).collect();
    let mut places = vec![0; bodies.len()];
    for (place, function) in (0_u32..).zip(&order) {
        places[*function] = place;
    }
    let places = firsts.iter().map(|first| places[*first]).collect();
    let mut ordered = Module::new();
    let mut reorder = Reorder {
        imports,
        order,
        places,
    };
    reorder.parse_core_module(&mut ordered, Parser::new(0), module)?;
    Ok(ordered.finish())
}

/// A function's byte strings with the smallest hashes, the smallest first.
fn sketch(body: &[u8]) -> Vec<u32> {
    // FNV-1a, then a finaliser: its low bits alone are too regular to choose by.
    let hash = |gram: &[u8]| {
        let fnv = gram.iter().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
        });
        let mixed = (fnv ^ (fnv >> 15)).wrapping_mul(0x2c1b_3c6d);
        mixed ^ (mixed >> 12)
    };
    let mut hashes: Vec<u32> = body.windows(GRAM).map(hash).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes.truncate(SKETCH);
    hashes
}

/// All functions, each followed by the one that resembles the last few most; ties and new groups go
/// by number, so that the same module always comes out the same.
fn chain(sketches: &[Vec<u32>]) -> Vec<usize> {
    let mut holders: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (function, sketch) in sketches.iter().enumerate() {
        for hash in sketch {
            holders.entry(*hash).or_default().push(function);
        }
    }
    holders.retain(|_, functions| functions.len() <= COMMON);
    let mut order: Vec<usize> = Vec::with_capacity(sketches.len());
    let mut scores = vec![0.0_f32; sketches.len()];
    let mut placed = vec![false; sketches.len()];
    let mut unplaced = 0..sketches.len();
    while order.len() < sketches.len() {
        let mut alike: Vec<usize> = Vec::new();
        for (age, recent) in (0_u8..RECENT).zip(order.iter().rev()) {
            let weight = 1.0 / (1.0 + f32::from(age) * FADE);
            for function in sketches[*recent]
                .iter()
                .filter_map(|hash| holders.get(hash))
                .flatten()
            {
                if !placed[*function] {
                    if scores[*function] == 0.0 {
                        alike.push(*function);
                    }
                    scores[*function] += weight;
                }
            }
        }
        let (mut best, mut best_score) = (None, ALIKE);
        alike.sort_unstable();
        for function in alike {
            let length = u16::try_from(sketches[function].len()).map_or(f32::MAX, f32::from);
            let score = core::mem::take(&mut scores[function]) / (length + SHORT);
            if score > best_score {
                (best, best_score) = (Some(function), score);
            }
        }
        let Some(next) = best.or_else(|| unplaced.find(|function| !placed[*function])) else {
            break;
        };
        placed[next] = true;
        order.push(next);
    }
    order
}

/// Writes a module with its functions in another order.
struct Reorder {
    /// How many functions are imported; they come first and stay.
    imports: u32,
    /// Which function stands at each place.
    order: Vec<usize>,
    /// At which place each function stands.
    places: Vec<u32>,
}

impl Reencode for Reorder {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, Error<Infallible>> {
        let own = function.checked_sub(self.imports);
        let place = own.and_then(|own| self.places.get(usize::try_from(own).ok()?));
        Ok(place.map_or(function, |place| self.imports + place))
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        let types = section.into_iter().collect::<Result<Vec<u32>, _>>()?;
        for function in self.order.clone() {
            functions.function(self.type_index(types[function])?);
        }
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: CodeSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        let bodies = section
            .into_iter()
            .collect::<Result<Vec<FunctionBody<'_>>, _>>()?;
        for function in self.order.clone() {
            self.parse_function_body(code, bodies[function].clone())?;
        }
        Ok(())
    }

    /// Names and the compiler's notes: no browser reads them.
    fn parse_custom_section(
        &mut self,
        _: &mut Module,
        _: CustomSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        Ok(())
    }
}
