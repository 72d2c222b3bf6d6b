//! A prompt to an answer, token by token, which Enter would cut short:  cargo run -- model.gguf "Once upon a time"
use std::io::Write;

fn main() -> puna::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let path = arguments.next().unwrap_or_else(|| "model.gguf".into());
    let prompt = arguments.next().map_or("Once upon a time".into(), |p| p.to_string_lossy().into_owned());

    let plan = puna::Plan::of(&path, &puna::PlanOptions { positions: 1024, ..Default::default() })?;
    eprintln!("{:.1} MB for the model and one session of {} tokens", plan.total_bytes as f64 / 1e6, 1024);
    let model = puna::Model::open(&path)?;
    let mut session = model.session()?;

    let canceller = session.canceller(); // any thread may end the work
    std::thread::spawn(move || {
        if std::io::stdin().read_line(&mut String::new()).is_ok_and(|bytes| bytes > 0) {
            canceller.cancel();
        }
    });

    print!("{prompt}");
    let options = puna::GenerateOptions {
        max_tokens: 48,
        sampler: puna::SamplerOptions { temperature: 0.8, top_p: 0.95, seed: 1, ..Default::default() },
        log_probabilities: 1,
        ..Default::default()
    };
    let (mut sum, mut count) = (0.0, 0);
    for token in session.generate(&prompt, &options)? {
        let token = token?;
        sum += token.log_probabilities[0].1;
        count += 1;
        print!("{}", token.text);
        std::io::stdout().flush().ok();
    }
    println!();
    eprintln!("the model's own probability of a token was {:.3} (geometric mean)", (sum / count.max(1) as f32).exp());
    let t = session.timings()?;
    eprintln!(
        "{} + {} tokens, {:.1} tokens a second",
        t.prompt_tokens,
        t.decoded_tokens,
        t.decoded_tokens as f64 / t.decode_seconds.max(1e-9)
    );
    Ok(())
}
