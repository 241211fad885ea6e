//! Builds the web bundle and embeds it: host-web as wasm, its JavaScript glue, and the files of `www/`, each
//! plain, gzipped and compressed by Brotli, in a table that `src/assets.rs` includes.
//!
//! | environment | effect |
//! |---|---|
//! | `SPORENET_WEB=build` | build it (the default of release profiles) |
//! | `SPORENET_WEB=skip` | embed a page that says that the console was not built (the default otherwise) |
//! | `SPORENET_WEB_DIST=<dir>` | embed a bundle that was built before |
//!
//! The nested build has a target directory of its own: the outer cargo holds the lock of its own one.

use flate2::{Compression, write::GzEncoder};
use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};
use wasm_bindgen_cli_support::Bindgen;

type Outcome<T> = Result<T, Box<dyn Error>>;

const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// What the bundle is made of; a change of any of these builds it anew.
const SOURCES: [&str; 8] = [
    "Cargo.lock",
    "Cargo.toml",
    "core/Cargo.toml",
    "core/src",
    "host-web/Cargo.toml",
    "host-web/src",
    "rust-toolchain.toml",
    "www",
];

/// What cargo, clippy and wrappers set for this build script and must not reach the nested build.
const FOREIGN: [&str; 19] = [
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_MAKEFLAGS",
    "CARGO_TARGET_DIR",
    "CLIPPY_ARGS",
    "DEBUG",
    "HOST",
    "MAKEFLAGS",
    "NUM_JOBS",
    "OPT_LEVEL",
    "OUT_DIR",
    "PROFILE",
    "RUSTC_LINKER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
    "TARGET",
];
const FOREIGN_PREFIXES: [&str; 5] = [
    "CARGO_CFG_",
    "CARGO_FEATURE_",
    "CARGO_MANIFEST_",
    "CARGO_PKG_",
    "DEP_",
];

/// Stands where the console would be.
const PLACEHOLDER: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<title>Sporenet</title>
<h1>The console was not built</h1>
<p>This is a development build of the relay; its API works. A release build carries the console:
<code>cargo run --release</code>, or <code>SPORENET_WEB=build cargo run</code>.</p>
</html>
";

fn main() -> Outcome<()> {
    println!("cargo:rerun-if-env-changed=SPORENET_WEB");
    println!("cargo:rerun-if-env-changed=SPORENET_WEB_DIST");
    println!("cargo:rerun-if-changed=build.rs");
    let out = PathBuf::from(variable("OUT_DIR")?);
    let dist = out.join("dist");
    if dist.exists() {
        fs::remove_dir_all(&dist)?;
    }
    fs::create_dir_all(&dist)?;

    match (env::var_os("SPORENET_WEB_DIST"), wants_build()?) {
        (Some(built), _) => {
            println!("cargo:rerun-if-changed={}", Path::new(&built).display());
            copy(Path::new(&built), &dist)?;
        }
        (None, true) => build(&out, &dist)?,
        (None, false) => fs::write(dist.join("index.html"), PLACEHOLDER)?,
    }
    embed(&dist, &out)
}

fn variable(name: &str) -> Outcome<String> {
    env::var(name).map_err(|error| format!("{name}: {error}").into())
}

fn wants_build() -> Outcome<bool> {
    match env::var("SPORENET_WEB").as_deref() {
        Ok("build") => Ok(true),
        Ok("skip") => Ok(false),
        Ok("") | Err(env::VarError::NotPresent) => Ok(variable("PROFILE")? == "release"),
        Ok(other) => Err(format!("SPORENET_WEB is `build` or `skip`, not `{other}`").into()),
        Err(error) => Err(format!("SPORENET_WEB: {error}").into()),
    }
}

fn build(out: &Path, dist: &Path) -> Outcome<()> {
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let root = manifest.parent().ok_or("the package has no workspace")?;
    for source in SOURCES {
        println!("cargo:rerun-if-changed={}", root.join(source).display());
    }
    if !root.join("host-web").is_dir() {
        return Err(
            "host-web is not beside this package; set SPORENET_WEB_DIST to a built bundle".into(),
        );
    }
    ensure_target(root)?;

    module(root, out, dist)?;
    copy(&root.join("www"), dist)
}

/// Builds host-web for the browser, and the JavaScript that goes with it.
fn module(root: &Path, out: &Path, dist: &Path) -> Outcome<()> {
    let target = out.join("wasm-target");
    let mut cargo = nested(&variable("CARGO")?, root);
    cargo.args(["build", "--package", "sporenet-web", "--lib", "--locked"]);
    cargo.args([
        "--target",
        WASM_TARGET,
        "--profile",
        "wasm-release",
        "--target-dir",
    ]);
    cargo.arg(&target);
    cargo.env("CARGO_ENCODED_RUSTFLAGS", path_flags(root)?);
    run(&mut cargo, "building host-web for the browser")?;

    let wasm = target
        .join(WASM_TARGET)
        .join("wasm-release")
        .join("sporenet_web.wasm");
    Bindgen::new()
        .input_path(wasm)
        .web(true)?
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .out_name("app")
        .omit_default_module_path(false)
        .generate(dist)?;
    Ok(())
}

/// Flags that keep this machine's folders out of the panic messages: they are nobody's business.
fn path_flags(root: &Path) -> Outcome<String> {
    let home = match env::var("CARGO_HOME") {
        Ok(home) => PathBuf::from(home),
        Err(_) => PathBuf::from(variable("HOME")?).join(".cargo"),
    };
    let mut folders = vec![(root.to_path_buf(), "")];
    if let Ok(registries) = fs::read_dir(home.join("registry/src")) {
        for registry in registries {
            folders.push((registry?.path(), "crates"));
        }
    }
    let flags = folders.iter();
    let flags = flags.map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
    Ok(flags.collect::<Vec<_>>().join("\u{1f}"))
}

/// A command in the workspace that sees the user's environment, not this build script's.
fn nested(program: &str, root: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root);
    for (name, _) in env::vars_os() {
        let foreign = name.to_str().is_some_and(|name| {
            FOREIGN.contains(&name)
                || FOREIGN_PREFIXES
                    .iter()
                    .any(|prefix| name.starts_with(prefix))
        });
        if foreign {
            command.env_remove(name);
        }
    }
    command
}

fn run(command: &mut Command, what: &str) -> Outcome<()> {
    let status = command
        .status()
        .map_err(|error| format!("{what}: {error}"))?;
    if status.success() {
        return Ok(());
    }
    Err(
        format!("{what} failed ({status}); SPORENET_WEB=skip builds the relay without its console")
            .into(),
    )
}

/// Adds the wasm target through rustup if this toolchain lacks it.
fn ensure_target(root: &Path) -> Outcome<()> {
    let sysroot = nested(&variable("RUSTC")?, root)
        .args(["--print", "sysroot"])
        .output()?;
    let sysroot = String::from_utf8(sysroot.stdout)?;
    let library = Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(WASM_TARGET);
    if library.is_dir() {
        return Ok(());
    }
    println!("cargo:warning=adding the {WASM_TARGET} target through rustup, for the console");
    let mut rustup = nested("rustup", root);
    run(
        rustup.args(["target", "add", WASM_TARGET]),
        "rustup target add wasm32-unknown-unknown",
    )
}

/// Copies a folder's files, those in folders too.
fn copy(from: &Path, to: &Path) -> Outcome<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).map_err(|error| format!("{}: {error}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Writes `assets.rs`: every file under its path, in every encoding, sorted by path.
fn embed(dist: &Path, out: &Path) -> Outcome<()> {
    let mut files = Vec::new();
    list(dist, "", &mut files)?;
    files.sort();
    let packed = out.join("packed");
    if packed.exists() {
        fs::remove_dir_all(&packed)?;
    }
    fs::create_dir_all(&packed)?;
    let mut table = String::from("static ASSETS: &[(&str, Asset)] = &[\n");
    for (number, path) in files.iter().enumerate() {
        let plain = dist.join(path);
        let content = fs::read(&plain)?;
        let gzipped = packed.join(format!("{number}.gz"));
        fs::write(&gzipped, gzip(&content)?)?;
        let brotlied = packed.join(format!("{number}.br"));
        fs::write(&brotlied, brotli(&content)?)?;
        let hash = blake3::hash(&content).to_hex();
        writeln!(
            table,
            "    ({path:?}, Asset {{ content_type: {:?}, hash: {:?}, identity: include_bytes!({:?}), \
             gzip: include_bytes!({:?}), brotli: include_bytes!({:?}) }}),",
            content_type(path),
            hash.get(..16).unwrap_or_default(),
            plain.display().to_string(),
            gzipped.display().to_string(),
            brotlied.display().to_string(),
        )?;
    }
    table.push_str("];\n");
    fs::write(out.join("assets.rs"), table)?;
    Ok(())
}

fn gzip(content: &[u8]) -> Outcome<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    Ok(encoder.finish()?)
}

/// Compressed with the best quality and a window that holds the whole file.
fn brotli(content: &[u8]) -> Outcome<Vec<u8>> {
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: 11,
        lgwin: 22,
        size_hint: content.len(),
        ..Default::default()
    };
    let mut packed = Vec::new();
    brotli::BrotliCompress(&mut &content[..], &mut packed, &parameters)?;
    Ok(packed)
}

fn list(folder: &Path, prefix: &str, files: &mut Vec<String>) -> Outcome<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name
            .to_str()
            .ok_or("a file of the bundle has a name that is not text")?;
        if entry.file_type()?.is_dir() {
            list(&entry.path(), &format!("{prefix}{name}/"), files)?;
        } else {
            files.push(format!("{prefix}{name}"));
        }
    }
    Ok(())
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("wasm") => "application/wasm",
        Some("json") => "application/json",
        Some("ts" | "txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
