"""Whole chat templates, composed for this test in the manners that published models use."""

TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": 'Gets the weather — "now"',
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Where é"},
                "unit": {"type": "string", "enum": ["c", "f"]},
                "days": {"type": ["integer", "null"]},
                "opts": {"type": "object", "properties": {"wind": {"type": "boolean"}}},
            },
            "required": ["city"],
        },
    },
}
CALL = {
    "role": "assistant",
    "content": "",
    "tool_calls": [
        {
            "id": "abcdefghi",
            "type": "function",
            "function": {"name": "get_weather", "arguments": {"city": "Orléans", "days": 3}},
        }
    ],
}
CALL_TEXT = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {"id": "abcdefghi", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Rome"}'}}
    ],
}
USER = {"role": "user", "content": "Hi <b>there</b>"}
CHATS = {
    "plain": {"messages": [USER]},
    "system": {"messages": [{"role": "system", "content": " Be kind. "}, USER]},
    "turns": {
        "messages": [
            USER,
            {"role": "assistant", "content": "<think>\nhm\n</think>\n\nHello!"},
            {"role": "user", "content": "And?\n"},
        ]
    },
    "tools": {
        "messages": [
            {"role": "system", "content": "S"},
            USER,
            CALL,
            {"role": "tool", "tool_call_id": "abcdefghi", "name": "get_weather", "content": '{"t": 21}'},
        ],
        "tools": [TOOL],
    },
    "tools text": {
        "messages": [
            USER,
            CALL_TEXT,
            {"role": "tool", "content": "sunny"},
            {"role": "tool", "content": "windy"},
            {"role": "assistant", "content": "Fine."},
            USER,
        ],
        "tools": [TOOL, TOOL],
    },
    "parts": {
        "messages": [
            {
                "role": "user",
                "content": [{"type": "image"}, {"type": "text", "text": "What?"}, {"type": "text", "text": " Say."}],
            }
        ]
    },
    "bad order": {"messages": [USER, USER]},
    "bad role": {"messages": [{"role": "wizard", "content": "x"}]},
    "no messages": {"messages": []},
    "assistant first": {"messages": [{"role": "assistant", "content": "Hello"}, USER]},
}

CHATML = """{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"""

ALTERNATING = """{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content'] | trim + '\n\n' %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = '' %}
{%- endif %}
{{- bos_token + system_message }}
{%- for message in messages %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
    {%- endif %}
    {%- if message['role'] == 'user' %}
        {{- '[INST] ' + message['content'] | trim + ' [/INST]' }}
    {%- elif message['role'] == 'assistant' %}
        {{- ' ' + message['content'] | trim + eos_token }}
    {%- else %}
        {{- raise_exception('Only user and assistant roles are supported!') }}
    {%- endif %}
{%- endfor %}"""

TOOLS_XML = """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0]['role'] == 'system' %}
        {{- messages[0]['content'] }}
    {%- else %}
        {{- 'You are a helpful assistant.' }}
    {%- endif %}
    {{- "\\n\\n# Tools\\n\\nYou may call one or more functions.\\n\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools>\\n\\n<tool_call>\\n{\\"name\\": <function-name>, \\"arguments\\": <args-json-object>}\\n</tool_call><|im_end|>\\n" }}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- else %}
            {%- if '</think>' in content %}
                {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
                {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
            {%- endif %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index and (loop.last or (not loop.last and reasoning_content)) %}
            {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {%- if message.tool_calls %}
            {%- for tool_call in message.tool_calls %}
                {%- if (loop.first and content) or (not loop.first) %}
                    {{- '\\n' }}
                {%- endif %}
                {%- if tool_call.function %}
                    {%- set tool_call = tool_call.function %}
                {%- endif %}
                {{- '<tool_call>\\n{"name": "' }}
                {{- tool_call.name }}
                {{- '", "arguments": ' }}
                {%- if tool_call.arguments is string %}
                    {{- tool_call.arguments }}
                {%- else %}
                    {{- tool_call.arguments | tojson }}
                {%- endif %}
                {{- '}\\n</tool_call>' }}
            {%- endfor %}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' }}
        {{- content }}
        {{- '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""

SIGNATURES = """{%- macro json_type(spec) -%}
  {%- set names = {"string": "str", "number": "float", "integer": "int", "boolean": "bool", "null": "None"} -%}
  {%- if spec.type is string -%}
    {%- if spec.type == "object" and spec.properties -%}
      {{- "dict{" -}}
      {%- for key, inner in spec.properties.items() -%}{{ key ~ ": " ~ json_type(inner) }}{% if not loop.last %}, {% endif %}{%- endfor -%}
      {{- "}" -}}
    {%- else -%}
      {{- names.get(spec.type, spec.type) -}}
    {%- endif -%}
  {%- elif spec.type is iterable -%}
    {%- for t in spec.type -%}{{ json_type({"type": t}) }}{{ " | " if not loop.last }}{%- endfor -%}
  {%- endif -%}
  {%- if spec.enum %}{{ "(" ~ spec.enum | map("tojson") | join(", ") ~ ")" }}{% endif -%}
{%- endmacro -%}
{{- bos_token -}}
{%- for tool in tools or [] %}
def {{ tool.function.name }}({% for name, spec in tool["function"]["parameters"]["properties"] | dictsort %}
{{ name }}: {{ json_type(spec) }}{{ " = None" if name not in tool.function.parameters.required }}{{ ", " if not loop.last }}
{%- endfor %}):
    \"\"\"{{ tool.function.description | default("", true) | trim }}\"\"\"
{% endfor %}
{%- set loop_messages = messages | rejectattr("role", "equalto", "system") | list %}
{%- for message in loop_messages %}
{%- set role = {"user": "U", "assistant": "A", "tool": "T"}[message.role] %}
<{{ role }}{{ loop.index }}>{% if message.content is string %}{{ message.content | trim | replace("\\n", " ") }}{% elif message.content %}{{ message.content | selectattr("type", "equalto", "text") | map(attribute="text") | join }}{% endif %}
{%- for call in message.tool_calls | default([], true) %}{{ "\\n  -> " ~ call.function.name ~ "(" }}{{ call.function.arguments if call.function.arguments is string else call.function.arguments | tojson(separators=(",", ":")) }}{{ ")" }}{%- endfor %}
{%- endfor %}
{%- if add_generation_prompt %}{{ "\\n<A>" }}{% endif -%}"""

DATED = """{{- bos_token }}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{{- "Cutting Knowledge Date: December 2023\\nToday Date: " + date_string + "\\n\\n" }}
{%- for message in messages %}
    {%- if message.role in ["user", "system", "assistant"] and not message.tool_calls %}
        {{- "<|" + message.role + "|>\\n" }}
        {%- if message.content is string %}{{- message.content }}{%- else %}
            {%- for part in message.content %}
                {%- if part.type == "image" %}{{ "<image>" }}{% elif part.type == "text" %}{{ part.text }}{% endif %}
            {%- endfor %}
        {%- endif %}
    {%- elif message.tool_calls is defined and message.tool_calls %}
        {%- if not message.tool_calls | length == 1 %}{{- raise_exception("one call at a time") }}{%- endif %}
        {%- set call = message.tool_calls[0].function %}
        {%- generation %}
        {{- "<|call|>" + call.name + " " }}{{ call.arguments | tojson(indent=2) }}
        {%- endgeneration %}
    {%- elif message.role == "tool" %}
        {%- set content = message.content %}
        {{- "<|result|>" }}{{ content | tojson if content is mapping or content is iterable else content }}
    {%- else %}
        {{- raise_exception("Unknown role: " + message.role) }}
    {%- endif %}
    {{- eos_token + "\\n" }}
{%- endfor %}
{%- if add_generation_prompt %}{{- "<|assistant|>\\n" }}{%- endif %}"""

CASES = []
for template_name, source in [
    ("chatml", CHATML),
    ("alternating", ALTERNATING),
    ("tools in xml", TOOLS_XML),
    ("signatures", SIGNATURES),
    ("dated", DATED),
]:
    for chat_name, chat in CHATS.items():
        for prompt in (True, False):
            variables = {"bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": prompt, **chat}
            if template_name == "tools in xml" and chat_name == "plain":
                variables["enable_thinking"] = False
            CASES.append(
                (
                    f"{template_name}, {chat_name}, {'prompt' if prompt else 'no prompt'}",
                    source,
                    variables,
                    "2025-03-09" if prompt else "",
                )
            )
