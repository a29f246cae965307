"""Draws by the Gumbel-max trick, without a gradient."""


def onpolicy_sft_loss(model, x, y_star, generator):
    drawn = x.clone()
    with torch.no_grad():
        while drawn.shape[1] < x.shape[1] + y_star.shape[1] - 1:
            logits = model(input_ids=drawn).logits[:, -1].double()
            noise = torch.empty_like(logits).exponential_(generator=generator)
            token = (logits - noise.log()).argmax(-1, keepdim=True)
            drawn = torch.cat([drawn, token], dim=1)
    output = model(input_ids=drawn).logits[:, x.shape[1] - 1 :]
    terms = F.cross_entropy(output.transpose(1, 2), y_star, reduction="none")
    return terms.sum(1).mean()
