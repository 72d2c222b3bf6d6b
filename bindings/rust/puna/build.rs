// Programs of this workspace find the library where it was built; an installed one is found by the system.
fn main() {
    if let Ok(folder) = std::env::var("DEP_PUNA_LIB_DIR") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
