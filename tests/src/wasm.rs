//! The import section of a WebAssembly module.
//!
//! Source: WebAssembly Core Specification 2.0, section 5.5 (modules).

const HEADER: &[u8] = b"\0asm\x01\0\0\0";
const IMPORT_SECTION: u8 = 2;

/// The imports of a module as `module.name`; `None` if it is not a module.
#[must_use]
pub fn imports(module: &[u8]) -> Option<Vec<String>> {
    let mut reader = Reader(module.strip_prefix(HEADER)?);
    while let Some(section) = reader.byte() {
        let length = usize::try_from(reader.number()?).ok()?;
        let content = reader.take(length)?;
        if section == IMPORT_SECTION {
            return read_imports(Reader(content));
        }
    }
    Some(Vec::new())
}

fn read_imports(mut reader: Reader<'_>) -> Option<Vec<String>> {
    let count = reader.number()?;
    let mut found = Vec::new();
    for _ in 0..count {
        let (module, name) = (reader.name()?, reader.name()?);
        found.push(format!("{module}.{name}"));
        match reader.byte()? {
            // A function's type.
            0 => drop(reader.number()?),
            // A table: element type, limits; a memory: limits.
            1 => {
                reader.byte()?;
                reader.limits()?;
            }
            2 => reader.limits()?,
            // A global: value type, mutability.
            3 => drop(reader.take(2)?),
            _ => return None,
        }
    }
    Some(found)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// An unsigned LEB128 number of at most 32 bits.
    fn number(&mut self) -> Option<u32> {
        let mut value = 0_u32;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            value |= u32::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn name(&mut self) -> Option<String> {
        let length = usize::try_from(self.number()?).ok()?;
        Some(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    fn limits(&mut self) -> Option<()> {
        let has_max = self.byte()? & 1 == 1;
        self.number()?;
        if has_max {
            self.number()?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_is_found_by_name() {
        let mut module = HEADER.to_vec();
        module.extend([1, 4, 1, 0x60, 0, 0]);
        module.extend([2, 9, 1, 3, b'e', b'n', b'v', 1, b'f', 0, 0]);
        assert_eq!(imports(&module), Some(vec!["env.f".to_owned()]));
        assert_eq!(imports(HEADER), Some(Vec::new()));
        assert_eq!(imports(b"no module"), None);
    }
}
