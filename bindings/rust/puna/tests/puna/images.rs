//! Pictures.
use crate::*;

#[test]
fn pictures_are_cut_encoded_and_asked_about() {
    let model = model();
    let wide = Image::from_rgb(&model, &vec![100; 190 * 60 * 3], 190, 60).unwrap();
    let info = wide.info().unwrap();
    assert_eq!((info.rows, info.columns, info.tiles, info.encoded), (2, 4, 9, false));
    assert_eq!(wide.pixels().unwrap().len() as i32, info.tiles * 3 * info.tile * info.tile);
    assert_eq!(wide.tokens().unwrap().len() as i64, info.tokens);
    assert_eq!(wide.encode().unwrap().len() as i64, info.features * i64::from(info.hidden));
    assert!(wide.info().unwrap().encoded);
    let prepared = Image::from_pixels(&model, wide.pixels().unwrap(), info.rows, info.columns).unwrap();
    assert_eq!(prepared.encode().unwrap(), wide.encode().unwrap());
    assert!(Image::from_pixels(&model, &[0.0; 5], 1, 1).is_err());
    // What <|image|> becomes, by hand and by the library.
    let place = model.tokenizer().unwrap().find("<|image|>").unwrap().unwrap();
    let (mut by_place, mut by_patches) = (model.session().unwrap(), model.session().unwrap());
    let with = AppendOptions::new().images(std::slice::from_ref(&wide));
    assert_eq!(by_place.plan_append(&[1, place, 2], &with).unwrap().appended, wide.tokens().unwrap().len() + 2);
    by_place.append_with(&[1, place, 2], &with).unwrap();
    by_patches.append_with(&[&[1], wide.tokens().unwrap(), &[2]].concat(), &with).unwrap();
    assert_eq!(by_place.logits().unwrap(), by_patches.logits().unwrap());
    assert_eq!(by_place.tokens().unwrap(), by_patches.tokens().unwrap());
    let mut session = model.session().unwrap();
    let options = GenerateOptions {
        max_tokens: 3,
        ignore_eos: true,
        parse_special: true,
        images: vec![wide.clone()],
        ..Default::default()
    };
    assert_eq!(session.generate("<|image|> What?", &options).unwrap().count(), 3);
    assert!(session.len() > info.tokens as usize);
    let none = GenerateOptions { images: vec![wide.clone(), wide], ..options };
    assert_eq!(
        model.session().unwrap().generate("<|image|>", &none).err().map(|e| e.status),
        Some(Status::InvalidArgument)
    );
    assert_eq!(Image::from_rgb(&model, &[0; 5], 1, 1).err().map(|e| e.status), Some(Status::InvalidArgument));
}
