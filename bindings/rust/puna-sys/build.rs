// Finds libpuna: in $PUNA_LIB_DIR, else by pkg-config (`cmake --install` puts a puna.pc there). Where there is neither, builds it from the sources that
// this crate lies in, as a static library.
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=PUNA_LIB_DIR");
    println!("cargo:rerun-if-changed=build.rs");
    if let Some(folder) = std::env::var("PUNA_LIB_DIR").ok().or_else(installed) {
        println!("cargo:rustc-link-search=native={folder}");
        println!("cargo:lib_dir={folder}"); // DEP_PUNA_LIB_DIR of those who depend on this crate
        println!("cargo:rustc-link-lib=dylib=puna");
        return;
    }
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    if !sources.join("CMakeLists.txt").exists() {
        panic!("libpuna was not found: set PUNA_LIB_DIR to the folder of libpuna.so, or install it where pkg-config looks");
    }
    println!("cargo:rustc-link-search=native={}", build(&sources).display());
    println!("cargo:rustc-link-lib=static=puna_static");
    println!("cargo:rustc-link-lib=dylib={}", if cfg!(target_os = "macos") { "c++" } else { "stdc++" });
}

fn installed() -> Option<String> {
    let output = Command::new("pkg-config").args(["--variable=libdir", "puna"]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
}

fn build(sources: &Path) -> PathBuf {
    println!("cargo:warning=libpuna was not found (PUNA_LIB_DIR, pkg-config): building it, which takes some minutes the first time");
    for folder in ["src", "include", "capi", "cmake", "CMakeLists.txt"] {
        println!("cargo:rerun-if-changed={}", sources.join(folder).display());
    }
    let folder = PathBuf::from(std::env::var("OUT_DIR").unwrap()).join("libpuna");
    let options = ["-DCMAKE_BUILD_TYPE=Release", "-DPUNA_BUILD_TESTS=OFF", "-DPUNA_BUILD_EXAMPLES=OFF", "-DPUNA_PROVIDERS=OFF"];
    run(Command::new("cmake").arg("-S").arg(sources).arg("-B").arg(&folder).args(options));
    run(Command::new("cmake").arg("--build").arg(&folder).args(["--target", "puna_static", "--parallel"]));
    folder.join("lib")
}

fn run(command: &mut Command) {
    let needs = "libpuna is built with CMake 3.25, g++ 12 or clang 16, and nlohmann-json (Debian: cmake g++ nlohmann-json3-dev); or set PUNA_LIB_DIR";
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{command:?} ended with {status}. {needs}"),
        Err(error) => panic!("{command:?}: {error}. {needs}"),
    }
}
