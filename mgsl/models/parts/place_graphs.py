"""Graphs over the places of a video, of all its levels at once: the readings of GDP's graph.

Notation    V      places        batch places dim
            Z      scenes        batch scenes half      what places are gathered to
            Θ, G   weights       batch places scenes, batch places places
"""

from jaxtyping import Bool, Float
from torch import Tensor, nn

from mgsl.models.parts.layers import masked_softmax

Places = Float[Tensor, "batch places dim"]
Real = Bool[Tensor, "batch places 1"]


class SceneGraph(nn.Module):
    """Gather places to a few scenes, let these look at each other, and tell the places.

    Θ = V W_θ,  Z = Θᵀ V W_φ / places,  Z ← Z + ReLU((I - A) Z W_g),  V ← V + Θ Z W_o
    """

    def __init__(self, dim: int, layers: int, scenes: int) -> None:
        super().__init__()
        half = dim // 2
        self.weights = nn.Linear(dim, scenes, bias=False)
        self.values = nn.Linear(dim, half, bias=False)
        self.edges = nn.ModuleList(nn.Linear(scenes, scenes, bias=False) for _ in range(layers))
        self.maps = nn.ModuleList(nn.Linear(half, half, bias=False) for _ in range(layers))
        self.output = nn.Linear(half, dim, bias=False)

    def forward(self, x: Places, real: Real) -> Places:
        """Places of all levels; padding belongs to no scene."""
        weights = self.weights(x) * real
        scenes = weights.mT @ self.values(x) / real.sum(1, keepdim=True)
        for edges, values in zip(self.edges, self.maps, strict=True):
            scenes = scenes + values(scenes - edges(scenes.mT).mT).relu()
        return x + weights @ self.output(scenes)


class FrameGraph(nn.Module):
    """Let every place look at all: G = softmax(V W_a (V W_b)ᵀ / √dim),  V ← V + ReLU(G V W)."""

    def __init__(self, dim: int, layers: int) -> None:
        super().__init__()
        self.ends = nn.Linear(dim, 2 * dim, bias=False)
        self.maps = nn.ModuleList(nn.Linear(dim, dim, bias=False) for _ in range(layers))

    def forward(self, x: Places, real: Real) -> Places:
        """Places of all levels; nothing looks at padding."""
        a, b = self.ends(x).chunk(2, dim=-1)
        weights = masked_softmax(a @ b.mT / x.shape[-1] ** 0.5, real.mT)
        for values in self.maps:
            x = x + (weights @ values(x)).relu()
        return x
