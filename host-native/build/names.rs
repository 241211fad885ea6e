//! Short names for what a wasm module imports from its JavaScript glue.
//!
//! wasm-bindgen gives each of two hundred functions a name with a hash, which stands in the module and
//! in the glue, and compresses badly: five kilobytes of the bundle.

use std::{collections::BTreeMap, convert::Infallible, error};
use wasm_encoder::{
    ImportSection, Module,
    reencode::{Error, Reencode},
};
use wasmparser::{ImportSectionReader, Parser, Payload};

/// The module and its glue with short names. A name that stands in the glue otherwise than once, as a
/// property, stays what it is.
pub(crate) fn short(module: &[u8], glue: &str) -> Result<(Vec<u8>, String), Box<dyn error::Error>> {
    let mut names = BTreeMap::new();
    let mut glue = glue.to_owned();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ImportSection(section) = payload? {
            for import in section.into_imports() {
                let long = import?.name;
                let property = format!(" {long}: ");
                if glue.matches(long).count() == 1 && glue.contains(&property) {
                    let short = format!("i{}", names.len());
                    glue = glue.replace(&property, &format!(" {short}: "));
                    names.insert(long.to_owned(), short);
                }
            }
        }
    }
    let mut renamed = Module::new();
    Rename(names).parse_core_module(&mut renamed, Parser::new(0), module)?;
    Ok((renamed.finish(), glue))
}

/// Writes a module with other names of its imports.
struct Rename(BTreeMap<String, String>);

impl Reencode for Rename {
    type Error = Infallible;

    fn parse_import_section(
        &mut self,
        imports: &mut ImportSection,
        section: ImportSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        for import in section.into_imports() {
            let import = import?;
            let ty = self.entity_type(import.ty)?;
            let name = self.0.get(import.name).map_or(import.name, String::as_str);
            imports.import(import.module, name, ty);
        }
        Ok(())
    }
}
