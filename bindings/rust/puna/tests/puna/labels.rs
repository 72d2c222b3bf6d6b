use crate::*;

fn crowd() -> Answers {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/data/eval/example/crowd.csv");
    let mut answers = Answers::new().unwrap();
    for line in std::fs::read_to_string(path).unwrap().lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        answers.add(cells[0], cells[1], cells[2]).unwrap();
        if cells.len() > 3 && !cells[3].is_empty() {
            answers.set_truth(cells[0], cells[3]).unwrap();
        }
    }
    answers
}

#[test]
fn a_crowd_comes_to_what_the_command_says() {
    let answers = crowd();
    assert_eq!(answers.labels().unwrap(), ["bad", "good"]);
    assert!((answers.alpha(Measure::Nominal).unwrap().alpha - 0.1342).abs() < 5e-5);
    let truth = answers.infer(InferMethod::DawidSkene).unwrap();
    assert_eq!(truth.iterations, 78);
    assert!((truth.accuracy.unwrap() - 0.9333).abs() < 5e-5);
    assert!((answers.infer(InferMethod::Majority).unwrap().accuracy.unwrap() - 0.85).abs() < 5e-5);
    assert_eq!((truth.labels.len(), truth.reliability.len()), (30, answers.workers().unwrap().len()));
    for row in &truth.posterior {
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
}

#[test]
fn texts_that_say_the_same_are_found() {
    let texts = ["The plate was cold, and we waited long.", "", "the plate was cold and we waited long"];
    assert_eq!(duplicates(&texts, 0.8).unwrap(), [0, 1, 0]);
    let documents = ["nothing", "so the plate was cold and we waited long again"];
    assert_eq!(contaminated(&texts, &documents).unwrap(), [Some(1), None, Some(1)]);
    assert!(Answers::new().unwrap().infer(InferMethod::Glad).is_err());
}
