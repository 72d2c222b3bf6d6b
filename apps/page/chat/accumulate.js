// Adds the chunks of a streamed answer to a message of the conversation tree.
// Chunks: https://platform.openai.com/docs/api-reference/chat-streaming

export function addChunk(node, chunk) {
  if (chunk.usage) node.usage = readUsage(chunk.usage);
  const choice = chunk.choices?.find((c) => c.index === 0);
  if (!choice) return false;
  const delta = choice.delta ?? {};
  if (delta.content) node.content += delta.content;
  if (delta.refusal) node.content += delta.refusal;
  if (delta.reasoning_content) node.reasoning = (node.reasoning ?? '') + delta.reasoning_content;
  for (const call of delta.tool_calls ?? []) addCall(node, call);
  for (const token of choice.logprobs?.content ?? []) node.tokens.push(readToken(token));
  if (choice.finish_reason) node.finish = choice.finish_reason;
  return Boolean(delta.content || delta.refusal || delta.reasoning_content || delta.tool_calls?.length);
}

// id and name come once, in the first delta of a call; arguments come in pieces.
function addCall(node, delta) {
  const calls = node.toolCalls;
  const at = Number.isInteger(delta.index) ? delta.index : calls.length;
  if (at < 0 || at > calls.length || at >= 128) return;
  calls[at] ??= { id: '', name: '', arguments: '' };
  if (delta.id) calls[at].id = delta.id;
  if (delta.function?.name) calls[at].name = delta.function.name;
  if (delta.function?.arguments) calls[at].arguments += delta.function.arguments;
}

function readToken({ token, logprob, bytes, top_logprobs: top }) {
  return {
    token,
    logprob,
    bytes: bytes ?? null,
    top: (top ?? []).map((other) => ({ token: other.token, logprob: other.logprob })),
  };
}

function readUsage(usage) {
  return {
    prompt: usage.prompt_tokens,
    completion: usage.completion_tokens,
    total: usage.total_tokens,
    cached: usage.prompt_tokens_details?.cached_tokens ?? 0,
  };
}
