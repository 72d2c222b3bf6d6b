//! Recommenders, rankers, pipelines.
use crate::*;
use std::ops::ControlFlow;

#[test]
fn a_recommender_learns_who_walks_where() {
    let events: Vec<Event> = (0..60)
        .flat_map(|u| (0..10).map(move |i| Event { user: u, item: 1 + ((u + i) % 12) as i32, time: 100 * i }))
        .collect();
    let names: Vec<String> = (1..=12).map(|i| format!("item {i}")).collect();
    let options = RecommenderOptions {
        max_sequence: 16,
        epochs: 150,
        learning_rate: 3e-3,
        dropout: 0.2,
        item_names: names,
        ..Default::default()
    };
    let recommender = Recommender::train(None, &events, &options).unwrap();
    let info = recommender.info().unwrap();
    assert_eq!((info.items, info.max_sequence, info.sasrec), (12, 16, false));
    assert_eq!((recommender.item_name(12).unwrap(), recommender.find_item("item 3").unwrap()), ("item 12", 3));
    assert!(recommender.find_item("itme 3").unwrap_err().message.contains("item 3"));
    assert!(recommender.item_name(13).is_err());
    let mut user = recommender.user().unwrap();
    assert_eq!(user.recommend(0, 3).err().map(|e| e.status), Some(Status::InvalidArgument));
    for (i, item) in [5, 6, 7].into_iter().enumerate() {
        user.append(item, 100 * i as i64).unwrap();
    }
    let best = user.recommend(300, 3).unwrap();
    assert_eq!((best.len(), best[0].0), (3, 8));
    assert_eq!(user.recommend(300, 100).unwrap().len(), 9);
    assert!(user.recommend(300, 0).is_err());
    let seen = RecommendOptions { include_seen: true, allowed: Some(&[6, 7]) };
    let mut among: Vec<i32> = user.recommend_with(300, 5, &seen).unwrap().into_iter().map(|b| b.0).collect();
    among.sort();
    assert_eq!(among, [6, 7]);
    assert!(user.recommend_with(300, 5, &RecommendOptions { allowed: Some(&[13]), ..seen }).is_err());

    let file = temporary("recommender");
    recommender.save(&file).unwrap();
    let again = Recommender::open(None, &file).unwrap();
    assert_eq!((again.item_name(1).unwrap(), again.info().unwrap()), ("item 1", info));
    std::fs::remove_file(file).unwrap();
    assert!(Recommender::open(None, "/no/such/file").is_err());
    assert!(Recommender::train(None, &events, &RecommenderOptions { items: 11, ..options.clone() })
        .err()
        .unwrap()
        .message
        .contains("12 names of 11"));
    let stopped =
        Recommender::train_with(
            None,
            &events,
            &options,
            |r| if r.step == 2 { ControlFlow::Break(()) } else { go_on(()) },
        );
    assert_eq!(stopped.err().map(|e| e.status), Some(Status::Cancelled));
}

#[test]
fn without_dropout_is_the_default() {
    let events: Vec<Event> =
        (0..6).flat_map(|u| (0..4).map(move |i| Event { user: u, item: 1 + ((u + i) % 5) as i32, time: i })).collect();
    let losses = |dropout: f64| {
        let mut losses = vec![];
        let options = RecommenderOptions { epochs: 3, dropout, ..Default::default() };
        Recommender::train_with(None, &events, &options, |r| go_on(losses.push(r.loss))).unwrap();
        losses
    };
    assert_ne!(losses(0.0), losses(0.5));
    let wrong = RecommenderOptions { dropout: 1.0, ..Default::default() };
    assert!(Recommender::train(None, &events, &wrong).err().unwrap().message.contains("dropout"));
}

#[test]
fn a_ranker_learns_while_its_copy_serves() {
    let config = r#"{"surfaces": ["feed"], "tasks": [{"name": "like"}, {"name": "survey"}],
                     "features": [{"name": "user", "rows": 6}, {"name": "item", "rows": 6}],
                     "interaction": "fm", "dim": 4, "hidden": []}"#;
    let mut ranker = Ranker::new(
        None,
        config,
        &RankerOptions { adagrad: true, learning_rate: 0.05, table_rate: 0.2, ..Default::default() },
    )
    .unwrap();
    let (mut shown, mut came) = (Examples::new(), Vec::new());
    for user in 0..6 {
        for item in 0..6 {
            shown.add(0, &[&[user], &[item]], &[]).unwrap();
            came.extend([f32::from(u8::from(user % 3 == item % 3)), f32::NAN]);
        }
    }
    let guesses = ranker.score(&shown).unwrap();
    let outcomes = Outcomes { values: &came, weights: &[] };
    let first = ranker.learn(&shown, outcomes).unwrap();
    assert_eq!((first.step, &first.predicted), (1, &guesses));
    let serving = ranker.copy(RankerTable::F16).unwrap();
    let before = serving.score(&shown).unwrap();
    let last = (0..100).map(|_| ranker.learn(&shown, outcomes).unwrap()).last().unwrap();
    assert!(last.loss < 0.5 * first.loss);
    assert_eq!(serving.score(&shown).unwrap(), before);
    assert!(ranker.learn(&shown, Outcomes { values: &came[1..], weights: &[] }).is_err());
    assert!(ranker.learn(&shown, Outcomes { values: &came, weights: &[1.0] }).is_err());
    let nothing = Outcomes { values: &came, weights: &[0.0; 36] };
    assert!(ranker.learn(&shown, nothing).unwrap_err().message.contains("nothing to learn"));
    assert!(shown.add(0, &[&[1]], &[]).is_err());
    assert_eq!(
        (ranker.info().unwrap().tasks, ranker.info().unwrap().steps, serving.info().unwrap().steps),
        (2, 101, 0)
    );
    assert!(ranker.config().unwrap().contains("\"survey\""));

    let (file, state) = (temporary("ranker"), temporary("ranker-state"));
    ranker.set_names(0, &["ann", "bo"]).unwrap();
    ranker.save(&file).unwrap();
    ranker.save_state(&state).unwrap();
    let options = RankerOptions { adagrad: true, learning_rate: 0.05, table_rate: 0.2, ..Default::default() };
    let mut again = Ranker::open(None, &file, &options).unwrap();
    assert_eq!((again.find_id(0, "bo").unwrap(), again.find_id(0, "cy").unwrap()), (Some(1), None));
    assert!(again.find_id(1, "bo").is_err());
    again.restore_state(&state).unwrap();
    assert_eq!(again.learn(&shown, outcomes).unwrap(), ranker.learn(&shown, outcomes).unwrap());
    let scores: Vec<f32> = ranker.score(&shown).unwrap().into_iter().step_by(2).collect();
    let liked: Vec<f32> = came.iter().copied().step_by(2).collect();
    ranker.calibrate(0, 0, Calibration::Platt, &scores, &liked).unwrap();
    assert_ne!(ranker.score(&shown).unwrap()[0], scores[0]);
    ranker.calibrate(0, 0, Calibration::None, &[], &[]).unwrap();
    assert_eq!(ranker.score(&shown).unwrap()[0], scores[0]);
    std::fs::remove_file(file).unwrap();
    std::fs::remove_file(state).unwrap();
    let mut wrong = Examples::new();
    wrong.add(0, &[&[1], &[6]], &[]).unwrap();
    assert!(ranker.score(&wrong).err().unwrap().message.contains("feature 'item': id 6"));
}

#[test]
fn a_pipeline_ranks_what_a_user_would_take_and_what_the_host_adds() {
    let events: Vec<Event> = (0..60)
        .flat_map(|u| (0..8).map(move |i| Event { user: u, item: 1 + ((u + i) % 12) as i32, time: 100 * i }))
        .collect();
    let recommender =
        Recommender::train(None, &events, &RecommenderOptions { max_sequence: 16, epochs: 2, ..Default::default() })
            .unwrap();
    let mut user = recommender.user().unwrap();
    user.append(5, 0).unwrap();
    let config = r#"{"surfaces": ["feed", "reels"], "tasks": [{"name": "like"}, {"name": "skip"}],
                     "features": [{"name": "user", "rows": 60}, {"name": "item", "rows": 14}],
                     "numbers": ["hour"], "dim": 4, "hidden": [8]}"#;
    let ranker = Ranker::new(None, config, &RankerOptions::default()).unwrap();
    let (mut items, mut about) = (Examples::new(), Examples::new());
    for item in 0..14 {
        items.add(0, &[&[], &[item]], &[]).unwrap();
    }
    about.add(0, &[&[7], &[]], &[0.5]).unwrap();
    let kinds: Vec<i32> = (0..14).map(|i| i % 2).collect();
    let options =
        PipelineOptions { count: 6, per_category: 3, weights: vec![1.0, 0.0, 1.0, -1.0], ..Default::default() };
    let pipeline = Pipeline::new(
        ranker.copy(RankerTable::F32).unwrap(),
        &Catalogue { items: &items, categories: &kinds, ..Default::default() },
        &options,
    )
    .unwrap();
    let feed = pipeline
        .recommend(Request {
            surface: 1,
            about: Some(&about),
            user: Some(&mut user),
            time: 100,
            candidates: &[13, 0],
            scores: &[9.0, 8.0],
            exclude: &[3],
            ..Default::default()
        })
        .unwrap();
    assert_eq!((feed.items.len(), feed.candidates), (6, 12));
    assert!(feed.items.iter().all(|s| s.item != 3
        && s.item != 5
        && s.propensity == 1.0
        && !s.explored
        && s.probabilities.len() == 2));
    assert!(feed.items.windows(2).all(|two| two[0].value >= two[1].value));
    assert_eq!(feed.items.iter().filter(|s| s.item % 2 == 0).count(), 3);
    let mut shown = Examples::new();
    shown.add(1, &[&[7], &[feed.items[0].item]], &[0.5]).unwrap();
    assert_eq!(ranker.score(&shown).unwrap(), feed.items[0].probabilities);
    assert!(feed.seconds.iter().all(|&s| s > 0.0));

    assert!(pipeline.recommend(Request::default()).err().unwrap().message.contains("neither a user nor candidates"));
    assert!(pipeline
        .recommend(Request { candidates: &[14], ..Default::default() })
        .err()
        .unwrap()
        .message
        .contains("candidate 14"));
    assert!(pipeline.recommend(Request { candidates: &[1, 2], scores: &[1.0], ..Default::default() }).is_err());
    assert!(Pipeline::new(
        ranker.copy(RankerTable::F32).unwrap(),
        &Catalogue { items: &items, categories: &[1], ..Default::default() },
        &options
    )
    .is_err());
    let allowed = pipeline
        .recommend(Request { user: Some(&mut user), time: 100, allowed: Some(&[7, 9]), ..Default::default() })
        .unwrap();
    let mut among: Vec<i64> = allowed.items.iter().map(|s| s.item).collect();
    among.sort();
    assert_eq!(among, [7, 9]);
    // The first place is 0, and it is the one that explores when nobody says another.
    let explores = PipelineOptions { explore: 1.0, explore_pool: 12, ..options.clone() };
    let exploring = Pipeline::new(
        ranker.copy(RankerTable::F32).unwrap(),
        &Catalogue { items: &items, ..Default::default() },
        &explores,
    )
    .unwrap();
    let candidates: Vec<i64> = (0..14).collect();
    let lists: Vec<Feed> = (0..20)
        .map(|number| exploring.recommend(Request { number, candidates: &candidates, ..Default::default() }).unwrap())
        .collect();
    assert!(lists
        .iter()
        .all(|l| l.items[0].propensity < 1.0 && l.items[1..].iter().all(|s| !s.explored && s.propensity == 1.0)));
    assert!(lists.iter().any(|l| l.items[0].explored && l.items[0].item != lists[0].items[0].item));

    let other = Ranker::new(None, config, &RankerOptions { seed: 1, ..Default::default() }).unwrap();
    let before = pipeline.recommend(Request { candidates: &[1], ..Default::default() }).unwrap().items[0].value;
    pipeline.use_ranker(other).unwrap();
    assert_ne!(pipeline.recommend(Request { candidates: &[1], ..Default::default() }).unwrap().items[0].value, before);
}
