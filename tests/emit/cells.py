"""Cells that between them use everything an emitted module must cope with."""

from __future__ import annotations

CELLS: dict[str, str] = {
    "peephole": """
        i_t = σ(W_i x_t + U_i h_{t-1} + p_i ⊙ c_{t-1} + b_i)
        f_t = σ(W_f x_t + U_f h_{t-1} + p_f ⊙ c_{t-1} + b_f)
        c_t = f_t ⊙ c_{t-1} + i_t ⊙ tanh(W_c x_t + U_c h_{t-1} + b_c)
        o_t = σ(W_o x_t + U_o h_{t-1} + p_o ⊙ c_t + b_o)
        h_t = o_t ⊙ tanh(c_t)""",
    "projection": """
        state c: p
        i_t = σ(W_i x_t + U_i h_{t-1} + b_i)
        f_t = σ(W_f x_t + U_f h_{t-1} + b_f)
        c_t = f_t ⊙ c_{t-1} + i_t ⊙ tanh(W_c x_t + U_c h_{t-1} + b_c)
        h_t = R tanh(c_t)""",
    "concatenation": """
        f_t = σ(W_f [h_{t-1}; x_t] + b_f)
        g_t = tanh(W_g [x_t, f_t ⊙ h_{t-1}] + b_g)
        h_t = f_t ⊙ h_{t-1} + (1 - f_t) ⊙ g_t""",
    "delays": """
        z_t = tanh(W x_t + V x_{t-1} + Q x_{t-2} + b_z)
        f_t = σ(U h_{t-2} + R z_{t-1} + b_f)
        h_t = f_t ⊙ h_{t-1} + (1 - f_t) ⊙ z_t - 0.1 h_{t-3}""",
    "free_recurrence": """
        z_t = W_z x_t + b_z
        f_t = σ(W_f x_t + b_f)
        o_t = σ(W_o x_t + V_o x_{t-1})
        c_t = f_t ⊙ c_{t-1} + (1 - f_t) ⊙ z_t
        h_t = o_t ⊙ tanh(c_t)""",
    "after_the_loop": """
        state s: p
        s_t = tanh(W x_t + U s_{t-1} + b)
        y_t = V s_t + Q s_{t-1} + R x_t + d
        q_t = tanh(y_t) ⊙ y_{t-1}
        h_t = q_t + 2 q_{t-1}
        output h""",
    "output_is_wider": """
        input x: m
        state h: p
        output y
        h_t = tanh(W x_t + U h_{t-1} + A y_{t-1} + b)
        y_t = softmax(V h_t + d)""",
    "multiplicative": """
        param alpha: n
        h_t = tanh(alpha ⊙ (W x_t) ⊙ (U h_{t-1}) + q ⊙ (U h_{t-1}) + r ⊙ (W x_t) + b)""",
    "second_input": """
        input x: m, s: k, d: scalar
        g_t = σ(W x_t + S s_t + U h_{t-1} + b)
        h_t = exp(-d_t) * g_t ⊙ h_{t-1} + (1 - g_t) ⊙ tanh(V s_t + d_t + c)""",
    "scalar_state": """
        e_t = exp(dot(w, x_t))
        a_t = a_{t-1} + e_t
        p_t = p_{t-1} + e_t * tanh(W x_t)
        h_t = p_t / a_t + U h_{t-1}
        init a_0 = 1""",
    "derived": """
        hyper gamma = 0.01
        const eps = 1e-1
        A = U - U^T - gamma I
        lam = exp(-exp(nu))
        param nu: n
        h_t = lam ⊙ h_{t-1} + eps * tanh(A h_{t-1} + W x_t + b)""",
    "numbers": """
        hyper a = 0.3
        f_t = 1 - a
        g_t = σ(k)
        param k: scalar
        h_t = f_t h_{t-1} + a g_t * tanh((1/sqrt(n)) W x_t + sqrt(1 - a^2) U h_{t-1} + 1) / 2""",
    "dims": """
        hyper k = 2
        dim r = n / k
        param P: n×r
        h_t = tanh(W x_t + P (Q h_{t-1}) + b)""",
    "products_in_a_row": """
        dim r
        param B: r×m
        h_t = tanh(A (B x_t) + U^T h_{t-1} - V h_{t-1} + (W ⊙ W) x_t)""",
    "soft_width": """
        z_t = σ(W x_t + U h_{t-1} + b)
        h_t = (1 - z_t) ⊙ tanh(x_t) + z_t ⊙ h_{t-1}""",
    "mut": """
        z_t = σ(W_z x_t + b_z)
        r_t = σ(x_t + U_r h_{t-1} + b_r)
        g_t = tanh(U_h (r_t ⊙ h_{t-1}) + tanh(x_t) + b_h)
        h_t = g_t ⊙ z_t + h_{t-1} ⊙ (1 - z_t)""",
    "learned_start": """
        h_t = tanh(W x_t + U h_{t-1} + b)
        s_t = s_{t-1} + sum(h_t)
        y_t = h_t / (1 + abs(s_t))
        output y
        init h_0 = learned
        init s_0 = learned
        init W = normal(0.1)
        init U = orthogonal""",
    "constant_with_a_past": """
        g_t = σ(b_g)
        h_t = tanh(W x_t + U h_{t-1}) ⊙ g_{t-1}""",
    "no_recurrence": """
        h_t = tanh(W x_t + V x_{t-1} + b)""",
    "no_state": """
        g_t = layernorm(W x_t)
        h_t = g_t ⊙ σ(V g_t)""",
    "awkward_names": """
        const training = 0.5
        hyper dropout = 0.5
        hyper lambda_2 = 0.25
        param class: n
        param self: n
        param forward: n
        param weight: scalar
        input_t = tanh(F x_t + torch state_{t-1} + lambda + batch_sizes)
        is_t = σ(parameters state_{t-1} + b) ⊙ class + forward ⊙ self
        state_t = training is_t ⊙ state_{t-1} + input_t * dropout * lambda_2 * weight
        output state""",
    "layernorm": """
        i_t = σ(layernorm(W x_t) ⊙ g_1 + layernorm(U h_{t-1}) ⊙ g_2 + b)
        h_t = i_t ⊙ h_{t-1} + (1 - i_t) ⊙ cumax(V x_t + Q h_{t-1})""",
    "shared": """
        share U_f = U_i
        i_t = σ(W_i x_t + U_i h_{t-1} + b)
        f_t = σ(W_f x_t + U_f h_{t-1} + b)
        h_t = f_t ⊙ h_{t-1} + i_t ⊙ max(x_t, 0) ⊙ min(h_{t-1}, q)""",
    "some_without_bias": """
        i_t = σ(W_i x_t + V_i s_{t-1} + U_i h_{t-1} + b_i)
        f_t = σ(W_f x_t + V_f s_{t-1} + U_f h_{t-1})
        s_t = tanh(U_s h_{t-1} + b_s)
        h_t = f_t ⊙ h_{t-1} + i_t ⊙ s_t""",
    "blocks": """
        hyper heads = 3
        dim d = 2 n
        param R_i, R_z: n×n blocks(heads)
        param V: d×n blocks(heads)
        param U: n×m blocks(1)
        i_t = σ(W_i x_t + R_i h_{t-1} + b_i)
        z_t = tanh(U x_t + R_z^T h_{t-1} - R_i (i_t ⊙ h_{t-1}) + Q tanh(V h_{t-1}) + b_z)
        h_t = i_t ⊙ h_{t-1} + (1 - i_t) ⊙ z_t""",
    "structures": """
        dim r
        param W: n×m lowrank(r)
        param U: n×n diagonal
        param S: n×n symmetric
        param O: n×n orthogonal
        param P: n×n blocks(2)
        A = P + P^T - S + U
        f_t = σ(W x_t + U h_{t-1} + W W^T O h_{t-1} + b_f)
        h_t = f_t ⊙ tanh(A h_{t-1} + W x_t + O^T S^T (f_t ⊙ h_{t-1}))""",
}
