// Finds the library where it was built; an installed one needs no such thing.
fn main() {
    println!("cargo:rerun-if-env-changed=PUNA_LIB_DIR");
    if let Ok(folder) = std::env::var("PUNA_LIB_DIR") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
