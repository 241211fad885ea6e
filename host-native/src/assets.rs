//! The embedded web bundle, as `build.rs` made it.

/// One embedded file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asset {
    /// What it is.
    pub(crate) content_type: &'static str,
    /// Changes with the content.
    hash: &'static str,
    identity: &'static [u8],
    gzip: &'static [u8],
    brotli: &'static [u8],
}

/// How the bytes of a file are encoded on the way to a browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Brotli (RFC 7932).
    Brotli,
    /// gzip (RFC 1952).
    Gzip,
    /// As they are.
    Identity,
}

impl Encoding {
    /// All encodings, the smallest result first.
    pub(crate) const ALL: [Self; 3] = [Self::Brotli, Self::Gzip, Self::Identity];

    /// Its name in `Accept-Encoding` and `Content-Encoding`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
            Self::Identity => "identity",
        }
    }
}

impl Asset {
    /// The content in an encoding.
    pub(crate) const fn bytes(&self, encoding: Encoding) -> &'static [u8] {
        match encoding {
            Encoding::Brotli => self.brotli,
            Encoding::Gzip => self.gzip,
            Encoding::Identity => self.identity,
        }
    }

    /// The strong entity tag, quoted. Each encoding has its own, since their bytes differ (RFC 9110,
    /// section 8.8.3).
    pub(crate) fn etag(&self, encoding: Encoding) -> String {
        match encoding {
            Encoding::Identity => format!("\"{}\"", self.hash),
            Encoding::Brotli | Encoding::Gzip => format!("\"{}-{}\"", self.hash, encoding.name()),
        }
    }
}

// `static ASSETS: &[(&str, Asset)]`, sorted by path.
include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The file at a path without leading slash, such as `index.html`.
pub(crate) fn lookup(path: &str) -> Option<Asset> {
    let found = ASSETS.binary_search_by_key(&path, |(name, _)| name).ok()?;
    ASSETS.get(found).map(|(_, asset)| *asset)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The most bytes, compressed by Brotli, that a tab may have to fetch until it is a member: 1 MiB
    /// (docs/adr/0017). What it is now is printed by the bench.
    const FETCHED_BYTES_MAX: usize = 1 << 20;

    #[test]
    fn every_file_is_found_by_its_path_and_nothing_else_is() {
        for (path, _) in ASSETS {
            assert!(lookup(path).is_some(), "{path}");
        }
        assert!(lookup("index.html").is_some());
        assert!(lookup("").is_none());
        assert!(lookup("../Cargo.toml").is_none());
    }

    #[test]
    fn the_encodings_of_a_file_have_tags_of_their_own() {
        let page = lookup("index.html").unwrap();
        let [brotli, gzip, identity] = Encoding::ALL.map(|encoding| page.etag(encoding));
        assert!(brotli != gzip && gzip != identity && identity != brotli);
    }

    /// All files count, though a tab fetches only some of them.
    #[test]
    fn the_bundle_keeps_within_its_budget() {
        let files = ASSETS.iter();
        let bytes: usize = files
            .map(|(_, asset)| asset.bytes(Encoding::Brotli).len())
            .sum();
        assert!(bytes <= FETCHED_BYTES_MAX, "{bytes} bytes");
    }
}
