// Finds libpuna: in $PUNA_LIB_DIR, else by pkg-config (`cmake --install` puts a puna.pc there).
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=PUNA_LIB_DIR");
    let folder = std::env::var("PUNA_LIB_DIR").ok().or_else(|| {
        let output = Command::new("pkg-config").args(["--variable=libdir", "puna"]).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
    });
    if let Some(folder) = folder {
        println!("cargo:rustc-link-search=native={folder}");
        println!("cargo:lib_dir={folder}"); // DEP_PUNA_LIB_DIR of those who depend on this crate
    }
    println!("cargo:rustc-link-lib=dylib=puna");
}
