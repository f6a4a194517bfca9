"""The page's form as Gradio components, and the events between them. Importing this loads Gradio."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any, Protocol

import gradio as gr

from realbot.adapters import retouch, words
from realbot.adapters.cards import file
from realbot.adapters.form import AUTOMATIC, MULTIPLE, Form, fields, shapes, sides
from realbot.errors import Refused
from realbot.jobs import Generate, Request

if TYPE_CHECKING:
    from realbot.studio import Studio

#: For events that wait for the studio: none holds up another, and none is offered as an API.
SUBMIT: Mapping[str, Any] = {"concurrency_limit": None, "show_progress": "hidden", "api_visibility": "private"}
#: For events that answer at once.
LOCAL: Mapping[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


class Visits(Protocol):
    """What the form asks of the visitor behind a Gradio request; each raises Refused."""

    async def ask(self, request: Request, asked: gr.Request) -> str:
        """Submit a request; what is asked first about a dear one, as HTML."""

    async def recall(self, job_id: str, asked: gr.Request) -> Request:
        """Find an earlier one."""

    async def shaped(self, image: str, asked: gr.Request) -> tuple[int, int]:
        """The width and height that are painted from a picture."""


def build(studio: Studio, visits: Visits, now: Callable[[], Any]) -> gr.Blocks:
    """The page; `now` tells the limits, which are the ranges of its sliders."""
    limits = now()
    preset, labels = studio.preset(), words.LABELS
    with gr.Blocks(title="realbot", analytics_enabled=False, delete_cache=(600, 3600), fill_width=True) as demo:
        with gr.Column(elem_id="desk"):
            gr.HTML(file("masthead.html"), elem_id="masthead", js_on_load=None)
            with gr.Column(elem_id="left"):
                with gr.Column(elem_id="ask"):
                    prompt = gr.Textbox(
                        label=labels["prompt"],
                        placeholder=words.PLACEHOLDER,
                        lines=3,
                        max_lines=8,
                        autofocus=True,
                        max_length=limits.max_prompt + 500,
                        elem_id="prompt",
                    )
                    pictures = _pictures(studio, limits)
                    go = gr.Button(labels["imagine"], variant="primary", size="lg", elem_id="imagine")
                    notice = gr.HTML("", elem_id="notice", js_on_load=None)
                with gr.Column(elem_id="settings"):
                    picker = _picker(studio, limits)
                    dials = _dials(preset, limits, studio.schedulers())
            with gr.Column(elem_id="right"):
                board = gr.HTML(
                    html_template='<section id="stage" aria-live="polite"></section>',
                    js_on_load=file("page.js"),
                    elem_id="board",
                    copied=words.COPIED,
                    really=words.REALLY_DELETE,
                )
                gr.HTML(
                    html_template=file("gallery.html"),
                    js_on_load=None,
                    elem_id="album",
                    caption=labels["gallery"],
                    search=labels["search"],
                    close=labels["close"],
                )
        form = [prompt, dials["negative"], picker, pictures, *(dials[name] for name in ORDER)]

        async def imagine(request: gr.Request, *values: Any) -> str:
            try:
                return await visits.ask(Form(*values).request(preset), request)
            except Refused as error:
                return trouble(words.refusal(error))

        async def reuse(event: gr.EventData, request: gr.Request) -> list[Any]:
            kept = [gr.skip() for _ in form]
            try:
                earlier = await visits.recall(str(event.job), request)
            except Refused as error:
                return [*kept, trouble(words.refusal(error))]
            return [*(fields(earlier, preset) if isinstance(earlier, Generate) else kept), ""]

        async def begin(event: gr.EventData, request: gr.Request) -> tuple[int, int]:
            """A picture to start from brings its own shape, and takes it away with it."""
            try:
                return await visits.shaped(str(event.image or ""), request)
            except Refused:
                return preset.width, preset.height

        def styles_now() -> Any:
            return gr.HTML(choices=choices(studio.styles()))

        def ranges_now() -> list[Any]:
            """Limits may have changed since the page was built."""
            return [gr.Slider(minimum=low, maximum=high) for low, high in _ranges(preset, now()).values()]

        go.click(imagine, form, notice, **SUBMIT)
        board.reuse(reuse, None, [*form, notice], **SUBMIT)
        pictures.begin(begin, None, [dials["width"], dials["height"]], **SUBMIT)
        demo.load(styles_now, None, picker, **LOCAL)
        demo.load(ranges_now, None, [dials[name] for name in _ranges(preset, limits)], **LOCAL)
    demo.queue(max_size=200)
    return demo


#: The fields after the prompt, the negative prompt, the styles and the pictures, as `Form` lists them.
ORDER = ("width", "height", "steps", "guidance", "true_cfg", "scheduler", "seed", "lock", "count")


def _picker(studio: Studio, limits: Any) -> Any:
    return gr.HTML(
        {},
        choices=choices(studio.styles()),
        max_weight=limits.max_weight,
        caption=words.LABELS["styles"],
        weight=words.LABELS["weight"],
        nothing=words.NO_STYLES,
        html_template=file("styles.html"),
        js_on_load=file("styles.js"),
        elem_id="styles",
    )


def _pictures(studio: Studio, limits: Any) -> Any:
    """The field for a picture to start from, with its mask, and for one whose look is taken."""
    start = Generate(prompt="", source="0" * 64)
    look = Generate(prompt="", reference="0" * 64)
    return gr.HTML(
        {},
        texts=retouch.texts(),
        parts=dict(retouch.PARTS),
        close=words.LABELS["close"],
        cancel=words.LABELS["cancel"],
        usual={
            "strength": usual(studio, start, "strength"),
            "masked": usual(studio, replace(start, mask="0" * 64), "strength"),
            "reference_weight": usual(studio, look, "reference_weight"),
        },
        most=limits.max_upload_mb,
        large=retouch.too_large(limits.max_upload_mb),
        html_template=file("pictures.html"),
        js_on_load=file("retouch.js") + file("pictures.js"),
        elem_id="pictures",
    )


def usual(studio: Studio, request: Generate, name: str) -> float | None:
    """What the model takes when a request leaves this open; None where it takes no such thing."""
    try:
        found: float | None = getattr(studio.usual(request), name)
    except Refused:
        return None
    return found


def _ranges(preset: Any, limits: Any) -> dict[str, tuple[float, float]]:
    """From where to where the sliders go whose ends are limits."""
    return {
        "width": sides(preset, limits),
        "height": sides(preset, limits),
        "steps": (1, limits.max_steps),
        "count": (1, max(limits.max_count, 2)),
        "guidance": (0, limits.max_guidance),
    }


def _dials(preset: Any, limits: Any, schedulers: Sequence[str]) -> dict[str, Any]:
    """The controls under the styles, by name."""
    labels, dials, sizes = words.LABELS, {}, shapes(preset)
    span = _ranges(preset, limits)
    shape = gr.Radio(list(sizes), value="Square", label=labels["shape"], elem_id="shape")
    gr.HTML(html_template=file("unfold.html"), caption=labels["settings"], js_on_load=None, elem_id="unfold")
    with gr.Column(elem_id="more"):
        with gr.Row():
            dials["width"] = gr.Slider(*span["width"], preset.width, step=MULTIPLE, label=labels["width"])
            dials["height"] = gr.Slider(*span["height"], preset.height, step=MULTIPLE, label=labels["height"])
        with gr.Row():
            steps = min(preset.steps, limits.max_steps)
            dials["steps"] = gr.Slider(*span["steps"], steps, step=1, label=labels["steps"])
            dials["count"] = gr.Slider(*span["count"], 1, step=1, label=labels["count"])
        with gr.Row():
            dials["guidance"] = gr.Slider(
                *span["guidance"],
                min(preset.guidance, limits.max_guidance),
                step=0.1,
                label=labels["guidance"],
                visible=preset.cfg != "none",
            )
            dials["true_cfg"] = gr.Slider(
                1, 10, 1, step=0.1, label=labels["true_cfg"], visible=preset.cfg == "embedded"
            )
        dials["negative"] = gr.Textbox(
            label=labels["negative"],
            placeholder=words.NEGATIVE_HINT,
            lines=1,
            max_lines=3,
            visible=preset.cfg != "none",
        )
        dials["scheduler"] = gr.Dropdown(
            [(AUTOMATIC, AUTOMATIC), *((words.scheduler(name), name) for name in schedulers)],
            value=AUTOMATIC,
            label=labels["scheduler"],
        )
        with gr.Row(elem_id="seeds"):
            dials["seed"] = gr.Textbox(label=labels["seed"], placeholder=words.SEED_HINT, elem_id="seed")
            dials["lock"] = gr.Checkbox(label=labels["lock"], value=False, elem_id="lock")

    both = [dials["width"], dials["height"]]
    table = json.dumps(sizes)
    shape.input(None, shape, both, js=f"name => ({table})[name]", **LOCAL)
    fits = "Object.entries(sizes).find(([, [w, h]]) => w === width && h === height)"
    shaped = f"(width, height) => {{ const sizes = {table}; return ({fits} || [null])[0]; }}"
    gr.on([dial.change for dial in both], None, both, shape, js=shaped, **LOCAL)
    dials["seed"].change(None, dials["seed"], dials["lock"], js="text => text.trim() !== ''", **LOCAL)
    return dials


def choices(styles: Sequence[Any]) -> list[dict[str, str]]:
    """The styles as the picker's template reads them."""
    return [
        {"name": style.name, "title": style.title or style.name, "about": style.description or style.trigger}
        for style in styles
    ]


def theme() -> Any:
    """Warm greys, one strong accent, the fonts the device has."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.orange,
        neutral_hue=gr.themes.colors.stone,
        radius_size=gr.themes.sizes.radius_lg,
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"],
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "monospace"],
    ).set(
        block_radius="12px",
        input_radius="9px",
        container_radius="12px",
        checkbox_label_background_fill="transparent",
        checkbox_label_background_fill_dark="transparent",
    )


def trouble(sentence: str) -> str:
    """A refusal under the prompt."""
    return f'<p class="trouble" role="alert">{escape(sentence)}</p>'
